// The head of a compressed EFI kernel (Linux drivers/firmware/efi/libstub/zboot-header.S),
// little-endian:
//
//   0 "MZ"   4 "zimg"   8 payload's offset   12 its size   24 compression, as text   60 PE header

/// A compressed EFI kernel (CONFIG_EFI_ZBOOT): a PE executable that decompresses an Image. What it
/// would do is done here, so that it is not needed.
public struct EFIZboot: Sendable, Hashable {
  /// Where the compressed Image is in the file; not empty.
  public let payload: Range<Int>
  /// What the file calls the compression: "gzip", "zstd", "xzkern". What the bytes are tells better.
  public let compression: String

  /// Reads the head of `file`, untrusted, which is the whole file.
  public init(parsing file: RawSpan) throws(EFIZbootError) {
    guard file.hasText("MZ", at: 0), file.hasText("zimg", at: 4),
      let offset = file.littleEndian(UInt32.self, at: 8),
      let size = file.littleEndian(UInt32.self, at: 12), file.byteCount >= 64
    else { throw .tooShort(fileSize: file.byteCount) }
    let header: PEHeader
    do throws(PEHeader.Failure) { header = try PEHeader(file) } catch {
      throw .tooShort(fileSize: file.byteCount)
    }
    guard header.machine == PEHeader.arm64 else { throw .wrongMachine(header.machine) }
    let end = UInt64(offset) + UInt64(size)
    guard offset >= 64, size > 0, end <= UInt64(file.byteCount) else {
      throw .payloadOutOfBounds(offset: offset, size: size, fileSize: file.byteCount)
    }
    payload = Int(offset)..<Int(end)
    compression = String(decoding: file.copy(24..<56).prefix { $0 != 0 }, as: UTF8.self)
  }
}
