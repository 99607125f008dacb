import CLinuxHost

extension MappedFile {
  /// What `compressed`, untrusted, holds: one gzip member, zstd frame, xz stream or lzma file.
  ///
  /// Behind all but gzip the size of the content may stand in four bytes, as the kernel's build
  /// appends it (scripts/Makefile.lib, size_append); anything else there is an error.
  ///
  /// The content goes into a mapping of its own, of which only what it fills is ever memory.
  /// Besides, zlib takes 40 KiB, zstd 160 KiB, and liblzma a dictionary: at most `limit`.
  ///
  /// - Parameter limit: the most bytes that may result.
  public static func decompressing(
    _ compressed: RawSpan, as compression: Compression, limit: UInt64
  ) throws(DecompressionError) -> MappedFile {
    switch compression {
    case .gzip: try decompressing(gzip: compressed, limit: limit)
    case .zstd:
      try unsafe decompressing(compressed, limit: limit) { source, target, produced, unread in
        // Sound, here and below: both ranges are as long as is said, and apart.
        unsafe linux_unzstd(
          source.baseAddress, source.count, target.baseAddress, target.count, &produced, &unread)
      }
    case .xz, .lzma:
      try unsafe decompressing(compressed, limit: limit) { source, target, produced, unread in
        unsafe linux_unlzma(
          source.baseAddress, source.count, target.baseAddress, target.count,
          compression == .lzma ? 1 : 0, limit, &produced, &unread)
      }
    }
  }

  /// By a decoder that finds the content's size only by decoding.
  private static func decompressing(
    _ compressed: RawSpan, limit: UInt64,
    by decode: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer, inout Int, inout Int) ->
      Int32
  ) throws(DecompressionError) -> MappedFile {
    let room = Int(clamping: limit)
    var result: MappedFile
    do throws(Errno) { result = try MappedFile(reserving: room) } catch { throw .noMemory }
    let target = unsafe UnsafeMutableRawBufferPointer(start: result.address, count: room)
    var produced = 0
    var unread = 0
    let status = unsafe compressed.withUnsafeBytes {
      unsafe decode($0, target, &produced, &unread)
    }
    switch Int(status) {
    case LINUX_DECOMPRESSED: break
    case LINUX_DECOMPRESS_TRUNCATED: throw .truncated
    case LINUX_DECOMPRESS_TOO_LARGE: throw .largerThan(limit: limit)
    case LINUX_DECOMPRESS_UNSUPPORTED: throw .unsupported
    case LINUX_DECOMPRESS_NO_MEMORY: throw .noMemory
    default: throw .damaged
    }
    guard produced > 0 else { throw .empty }
    guard unread == 0 || unread == 4 && lastWord(of: compressed) == UInt32(exactly: produced)
    else { throw .appended(size: unread) }
    result.trim(to: produced)
    return result
  }

  /// One gzip member. Its trailer says how large the content is (modulo 2^32, more than a kernel
  /// can have): memory of just this size is mapped, and content of any other size is an error.
  private static func decompressing(
    gzip compressed: RawSpan, limit: UInt64
  ) throws(DecompressionError) -> MappedFile {
    let count = compressed.byteCount
    // A header of 10 bytes and a trailer of 8, with the shortest data between them.
    guard count >= 20 else { throw .truncated }
    let size = UInt64(lastWord(of: compressed))
    // Deflate makes at most 1032 bytes of one: a trailer that promises more lies.
    guard size > 0, size / 1032 <= UInt64(count) else { throw .wrongSize }
    guard size <= limit else { throw .tooLarge(size: size, limit: limit) }
    let result: MappedFile
    do throws(Errno) { result = try MappedFile(zeroes: Int(size)) } catch { throw .noMemory }
    let target = unsafe result.address
    // Sound: both ranges are as long as is said, and apart.
    let status = unsafe compressed.withUnsafeBytes {
      unsafe linux_gunzip($0.baseAddress, $0.count, target, Int(size))
    }
    switch Int(status) {
    case LINUX_DECOMPRESSED: return result
    case LINUX_DECOMPRESS_TRUNCATED: throw .truncated
    case LINUX_DECOMPRESS_WRONG_SIZE: throw .wrongSize
    case LINUX_DECOMPRESS_NO_MEMORY: throw .noMemory
    default: throw .damaged
    }
  }

  /// The last four bytes, of at least as many, little-endian.
  private static func lastWord(of bytes: RawSpan) -> UInt32 {
    // Sound: the offset is within the span, and every bit pattern is a number.
    UInt32(
      littleEndian: unsafe bytes.unsafeLoadUnaligned(
        fromByteOffset: bytes.byteCount - 4, as: UInt32.self))
  }
}
