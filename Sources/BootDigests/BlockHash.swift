/// What MD5, SHA-1 and SHA-2 have in common: a state that takes blocks of one size, and a tail with
/// a one bit, zeros and the length in bits (RFC 1321, 3.1 and 3.2; FIPS 180-4, 5.1).
protocol BlockHash {
  /// In bytes: 64 or 128.
  static var blockSize: Int { get }
  /// Bytes of the length at the end of the last block.
  static var lengthSize: Int { get }
  static var hasBigEndianLength: Bool { get }
  /// Takes one block, which begins at `offset` of `bytes`.
  mutating func compress(_ bytes: RawSpan, at offset: Int)
}

extension BlockHash {
  /// Takes the whole message: its blocks where they lie, then the tail.
  ///
  /// - Parameter taken: told of the number of bytes that are taken, once in each mebibyte.
  mutating func absorb(_ message: RawSpan, taken: (Int) -> Void) {
    let size = Self.blockSize
    var offset = 0
    while message.byteCount - offset >= size {
      compress(message, at: offset)
      offset += size
      if offset & (1 << 20 - 1) == 0 { taken(offset) }
    }
    // At most two blocks of 128 bytes.
    var tail = InlineArray<256, UInt8>(repeating: 0)
    let rest = message.byteCount - offset
    for index in 0..<rest {
      // Sound: the offset is inside the message, and a byte has every bit pattern.
      tail[index] = unsafe message.unsafeLoad(fromByteOffset: offset + index, as: UInt8.self)
    }
    tail[rest] = 0x80
    let end = rest + 1 + Self.lengthSize <= size ? size : 2 * size
    let bits = UInt64(truncatingIfNeeded: message.byteCount) << 3
    for index in 0..<8 {
      let byte = UInt8(truncatingIfNeeded: bits >> UInt64(8 * index))
      tail[Self.hasBigEndianLength ? end - 1 - index : end - 8 + index] = byte
    }
    // Sound: the elements are bytes, so that there is no padding among them.
    let blocks = unsafe tail.span.bytes
    compress(blocks, at: 0)
    if end > size { compress(blocks, at: size) }
  }

  /// The word of that type at `offset`, which with its size lies in `bytes`, as it is stored.
  static func word<Word: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: RawSpan, at offset: Int, as type: Word.Type
  ) -> Word {
    // Sound: it lies inside, and every bit pattern is a word.
    unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Word.self)
  }
}
