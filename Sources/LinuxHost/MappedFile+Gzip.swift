import CLinuxHost

extension MappedFile {
  /// What the one gzip member (RFC 1952) in `compressed`, untrusted, holds.
  ///
  /// The trailer says how large that is (modulo 2^32, more than a kernel can have): memory of just
  /// this size is mapped, and content of any other size is an error. Takes no heap but zlib's 40 KiB.
  ///
  /// - Parameter limit: the most bytes that may result.
  public static func decompressing(
    gzip compressed: RawSpan, limit: UInt64
  ) throws(GzipError) -> MappedFile {
    let count = compressed.byteCount
    // A header of 10 bytes and a trailer of 8, with the shortest data between them.
    guard count >= 20 else { throw .truncated }
    var size: UInt64 = 0
    for index in (count - 4..<count).reversed() {
      // Sound: the index is within the span.
      size = size << 8 | UInt64(unsafe compressed.unsafeLoad(fromByteOffset: index, as: UInt8.self))
    }
    // Deflate makes at most 1032 bytes of one: a trailer that promises more lies.
    guard size > 0, size / 1032 <= UInt64(count) else { throw .wrongSize }
    guard size <= limit else { throw .tooLarge(size: size, limit: limit) }
    let result = try room(for: Int(size))
    let target = unsafe result.address
    // Sound: both ranges are as long as is said, and apart.
    let status = unsafe compressed.withUnsafeBytes {
      unsafe linux_gunzip($0.baseAddress, $0.count, target, Int(size))
    }
    switch Int(status) {
    case LINUX_GUNZIP_DONE: return result
    case LINUX_GUNZIP_TRUNCATED: throw .truncated
    case LINUX_GUNZIP_WRONG_SIZE: throw .wrongSize
    case LINUX_GUNZIP_NO_MEMORY: throw .noMemory
    default: throw .damaged
    }
  }

  private static func room(for count: Int) throws(GzipError) -> MappedFile {
    do throws(Errno) { return try MappedFile(zeroes: count) } catch { throw .noMemory }
  }
}
