// The part of a PE executable's headers that says what is where in the file (PE/COFF specification,
// "COFF File Header", "Section Table"), little-endian:
//
//   0 "MZ"   60 offset of:  0 "PE\0\0"   4 machine   6 number of sections   20 size of what follows
//   24       optional header of that size, then for each section 40 bytes:
//            0 name, padded with zeros to 8   8 size in memory   16 size in the file   20 offset
//            in the file

/// The section table of a PE executable.
struct PEHeader: Sendable, Hashable {
  enum Failure: Error {
    case notPE
    /// The headers reach at least so far.
    case truncated(expected: Int)
  }

  struct Section {
    /// Where the name is in the file.
    let name: Int
    let memorySize: UInt32
    let fileSize: UInt32
    let offset: UInt32

    /// The section's place in the file; it may end behind the file's end.
    var fileRange: Range<Int> { Int(offset)..<Int(offset) + Int(fileSize) }

    /// The section's content: what follows in its place is padding.
    var content: Range<Int> {
      let size = memorySize == 0 ? fileSize : min(memorySize, fileSize)
      return Int(offset)..<Int(offset) + Int(size)
    }
  }

  /// IMAGE_FILE_MACHINE_ARM64.
  static var arm64: UInt16 { 0xaa64 }

  let machine: UInt16
  let sectionCount: Int
  private let sectionTable: Int

  init(_ file: RawSpan) throws(Failure) {
    guard file.hasText("MZ", at: 0),
      let header = file.littleEndian(UInt32.self, at: 60).map({ Int($0) }), header != 0
    else { throw .notPE }
    guard let machine = file.littleEndian(UInt16.self, at: header + 4),
      let count = file.littleEndian(UInt16.self, at: header + 6),
      let optionalHeaderSize = file.littleEndian(UInt16.self, at: header + 20)
    else { throw .truncated(expected: header + 24) }
    guard file.hasText("PE\0\0", at: header) else { throw .notPE }
    self.machine = machine
    sectionCount = Int(count)
    sectionTable = header + 24 + Int(optionalHeaderSize)
  }

  func section(_ index: Int, of file: RawSpan) throws(Failure) -> Section {
    let entry = sectionTable + 40 * index
    guard let memorySize = file.littleEndian(UInt32.self, at: entry + 8),
      let fileSize = file.littleEndian(UInt32.self, at: entry + 16),
      let offset = file.littleEndian(UInt32.self, at: entry + 20)
    else { throw .truncated(expected: entry + 40) }
    return Section(name: entry, memorySize: memorySize, fileSize: fileSize, offset: offset)
  }
}
