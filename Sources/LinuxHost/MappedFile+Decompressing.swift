import CLinuxHost

extension MappedFile {
  /// What `compressed`, untrusted, holds: one gzip member, zstd frame, xz stream or lzma file.
  ///
  /// Behind all but gzip the size of the content may stand in four bytes, as the kernel's build
  /// appends it (scripts/Makefile.lib, size_append); anything else there is an error.
  ///
  /// The content goes into a mapping of its own, of which only what it fills is ever memory.
  /// Besides, zlib takes 40 KiB, zstd 222 KiB, and liblzma a dictionary: at most `limit`.
  ///
  /// - Parameters:
  ///   - limit: the most bytes that may result.
  ///   - progress: called with the bytes that were read so far, as the work goes on.
  public static func decompressing(
    _ compressed: RawSpan, as compression: Compression, limit: UInt64,
    progress: (UInt64) -> Void = { _ in }
  ) throws(DecompressionError) -> MappedFile {
    if compression == .gzip {
      return try decompressing(gzip: compressed, limit: limit, progress)
    }
    var result: MappedFile
    do throws(Errno) { result = try MappedFile(reserving: Int(clamping: limit)) } catch {
      throw .noMemory
    }
    let (consumed, produced) = try decode(
      compressed, as: compression, into: result, limit: limit, progress)
    guard produced > 0 else { throw .empty }
    let unread = compressed.byteCount - consumed
    guard unread == 0 || unread == 4 && lastWord(of: compressed) == UInt32(exactly: produced)
    else { throw .appended(size: unread) }
    result.trim(to: produced)
    return result
  }

  /// One gzip member. Its trailer says how large the content is (modulo 2^32, more than a kernel
  /// can have): memory of just this size is mapped, and content of any other size is an error.
  private static func decompressing(
    gzip compressed: RawSpan, limit: UInt64, _ progress: (UInt64) -> Void
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
    _ = try decode(compressed, as: .gzip, into: result, limit: limit, progress)
    return result
  }

  /// In bytes of what is read: how much is decoded between two reports of progress.
  private static var step: Int { 256 << 10 }

  /// Fills `target`, as far as the content goes.
  ///
  /// - Returns: the bytes that were read, and those that were written.
  private static func decode(
    _ compressed: RawSpan, as compression: Compression, into target: borrowing MappedFile,
    limit: UInt64, _ progress: (UInt64) -> Void
  ) throws(DecompressionError) -> (consumed: Int, produced: Int) {
    let room = target.byteCount
    let start = unsafe target.address
    var decoder = unsafe linux_decoder()
    // Sound: both ranges are as long as the decoder is told, apart, and there for the closure.
    let status = unsafe compressed.withUnsafeBytes { source in
      unsafe decoder.source = source.baseAddress
      unsafe decoder.source_size = source.count
      unsafe decoder.target = start
      unsafe decoder.target_size = room
      var status: Int32
      switch compression {
      case .gzip: status = unsafe linux_gunzip_begin(&decoder)
      case .zstd: status = unsafe linux_unzstd_begin(&decoder)
      case .xz: status = unsafe linux_unlzma_begin(&decoder, 0, limit)
      case .lzma: status = unsafe linux_unlzma_begin(&decoder, 1, limit)
      }
      while Int(status) == LINUX_DECOMPRESSING {
        switch compression {
        case .gzip: status = unsafe linux_gunzip(&decoder, step)
        case .zstd: status = unsafe linux_unzstd(&decoder, step)
        case .xz, .lzma: status = unsafe linux_unlzma(&decoder, step)
        }
        progress(UInt64(unsafe decoder.consumed))
      }
      switch compression {
      case .gzip: unsafe linux_gunzip_end(&decoder)
      case .zstd: unsafe linux_unzstd_end(&decoder)
      case .xz, .lzma: unsafe linux_unlzma_end(&decoder)
      }
      return status
    }
    switch Int(status) {
    case LINUX_DECOMPRESSED: return unsafe (decoder.consumed, decoder.produced)
    case LINUX_DECOMPRESS_TRUNCATED: throw .truncated
    case LINUX_DECOMPRESS_WRONG_SIZE: throw .wrongSize
    case LINUX_DECOMPRESS_TOO_LARGE: throw .largerThan(limit: limit)
    case LINUX_DECOMPRESS_UNSUPPORTED: throw .unsupported
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
