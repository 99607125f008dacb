/// CRC-32 as gzip, zlib and U-Boot have it (RFC 1952, 8): reflected, polynomial 0xedb88320.
public enum CRC32 {
  /// - Parameter taken: told of the number of bytes that are taken, once in each mebibyte.
  public static func checksum(
    of message: RawSpan, taken: (Int) -> Void = { _ in }
  ) -> UInt32 {
    // Built for each call: a kilobyte of the stack instead of one of every program.
    let table = InlineArray<256, UInt32> { index in
      var value = UInt32(truncatingIfNeeded: index)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
      return value
    }
    var value = UInt32.max
    for offset in 0..<message.byteCount {
      // Sound: the offset is inside the message, and a byte has every bit pattern.
      let byte = unsafe message.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
      value = value >> 8 ^ table[Int((value ^ UInt32(byte)) & 0xff)]
      if offset & (1 << 20 - 1) == 1 << 20 - 1 { taken(offset + 1) }
    }
    return ~value
  }
}
