import PhysicalMemory

// The header of an arm64 Linux Image (Linux Documentation/arch/arm64/booting.rst, "Call the kernel
// image"), little-endian whatever the kernel is:
//
//   0        4        8                16               24               32
//   ┌────────┬────────┬────────────────┬────────────────┬────────────────┐
//   │ code0  │ code1  │  text_offset   │   image_size   │     flags      │
//   ├────────┴────────┼────────────────┼────────────────┼────────┬───────┤
//   │    reserved     │    reserved    │    reserved    │"ARM\x64"│ PE at │
//   └─────────────────┴────────────────┴────────────────┴────────┴───────┘
//   32               40               48               56       60      64
//
//   flags   bit 0      1: the kernel is big-endian
//           bits 1–2   its page size: 0 not said, 1 4K, 2 16K, 3 64K
//           bit 3      1: the 2 MiB-aligned base may be anywhere in memory
//                      0: it should be as near as can be to the start of memory
//
// With CONFIG_EFI_STUB code0 is also "MZ", and the PE header that `PE at` points to lists the
// file's sections: the only place that says how long the file must be, because image_size counts
// zero-initialised memory too.

/// An arm64 Linux Image: what its header says of how it wants to be placed and entered.
public struct Arm64Image: Sendable, Hashable {
  /// "ARM\x64", at byte 56.
  static var magic: UInt32 { 0x644d_5241 }
  static var headerSize: Int { 64 }

  /// The distance in bytes from a 2 MiB-aligned base to the Image, which is entered at its first
  /// byte.
  public let textOffset: UInt64
  /// The bytes from the Image's start that the kernel occupies; the file may be shorter, and the
  /// rest need not be zero. Never 0.
  public let imageSize: UInt64
  /// The size of the kernel's pages, or nil where the header does not say.
  public let pageSize: Granule?
  /// Whether the base may be anywhere in memory (flag bit 3).
  public let allowsAnyPlacement: Bool
  /// The number of bytes in the file.
  public let fileSize: Int

  /// Reads the header of `file`, which is the whole file.
  public init(parsing file: RawSpan) throws(ImageError) {
    guard file.byteCount >= Self.headerSize,
      let magic = file.littleEndian(UInt32.self, at: 56),
      let textOffset = file.littleEndian(UInt64.self, at: 8),
      let imageSize = file.littleEndian(UInt64.self, at: 16),
      let flags = file.littleEndian(UInt64.self, at: 24)
    else {
      let format = FileFormat(recognizing: file)
      throw format == .unknown || format == .arm64Image
        ? .tooShort(fileSize: file.byteCount) : .notAnImage(format: format)
    }
    guard magic == Self.magic else { throw .notAnImage(format: FileFormat(recognizing: file)) }
    guard flags & 1 == 0 else { throw .bigEndian }
    guard imageSize != 0 else { throw .imageSizeZero }
    // 52 bits: the largest physical address space that Linux knows on arm64.
    let (end, overflow) = textOffset.addingReportingOverflow(imageSize)
    guard !overflow, end <= 1 << 52 else {
      throw .outOfRange(textOffset: textOffset, imageSize: imageSize)
    }
    guard UInt64(file.byteCount) <= imageSize else {
      throw .longerThanImage(fileSize: file.byteCount, imageSize: imageSize)
    }
    let expected = Self.sectionsEnd(file)
    guard UInt64(file.byteCount) >= expected else {
      throw .truncated(fileSize: file.byteCount, expected: expected)
    }

    self.textOffset = textOffset
    self.imageSize = imageSize
    fileSize = file.byteCount
    allowsAnyPlacement = flags & 1 << 3 != 0
    pageSize =
      switch flags >> 1 & 3 {
      case 1: .size4K
      case 2: .size16K
      case 3: .size64K
      default: nil
      }
  }

  /// Where the last of the PE header's sections ends in the file, or 0 where the Image has no PE
  /// header.
  private static func sectionsEnd(_ file: RawSpan) -> UInt64 {
    var end = 0
    do throws(PEHeader.Failure) {
      let header = try PEHeader(file)
      for index in 0..<header.sectionCount {
        end = max(end, try header.section(index, of: file).fileRange.upperBound)
      }
    } catch {
      switch error {
      case .notPE: return 0
      case .truncated(let expected): return UInt64(expected)
      }
    }
    return UInt64(end)
  }
}
