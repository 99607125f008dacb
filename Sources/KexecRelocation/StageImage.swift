import CBatonArm64

/// stage.bin, taken apart: what the loader puts where (see stage_header.h for the drawing).
public struct StageImage: Sendable {
  public enum Malformed: Error, Hashable {
    case tooShort(Int)
    case noMagic(UInt64)
    /// A header or block version that this loader does not write.
    case unknownVersion(header: UInt32, block: UInt32)
    case badSection
  }

  /// One part of the stage in memory, from the stage's base.
  public struct Section: Sendable {
    public let offset: UInt64
    public let memorySize: UInt64
    public fileprivate(set) var words: [UInt64]
  }

  public private(set) var code: Section
  public let constants: Section
  public let writable: Section
  /// Where the stage looks for the handoff block, from its base.
  public let blockOffset: UInt64
  /// The linker's build id, 20 bytes.
  public let buildID: [UInt8]

  /// The alignment of the stage's base in bytes: every section gets pages of its own.
  public static let baseAlignment = UInt64(STAGE_SECTION_STRIDE)

  /// Takes `file`, the content of stage.bin, apart.
  public init(_ file: UnsafeRawBufferPointer) throws(Malformed) {
    guard file.count >= MemoryLayout<baton_stage_header>.size else {
      throw .tooShort(file.count)
    }
    // Sound: the size was just checked; no alignment is assumed.
    let header = unsafe file.loadUnaligned(as: baton_stage_header.self)
    guard header.magic == UInt64(STAGE_HEADER_MAGIC) else { throw .noMagic(header.magic) }
    guard header.version == UInt32(STAGE_HEADER_VERSION),
      header.block_version == UInt32(BATON_BLOCK_VERSION)
    else { throw .unknownVersion(header: header.version, block: header.block_version) }
    code = try unsafe StageImage.section(header.code, in: file)
    constants = try unsafe StageImage.section(header.constants, in: file)
    writable = try unsafe StageImage.section(header.writable, in: file)
    blockOffset = UInt64(header.block_offset)
    guard code.offset == 0, code.words.count * 8 >= MemoryLayout<baton_stage_header>.size,
      constants.offset >= code.memorySize,
      writable.offset >= constants.offset + constants.memorySize,
      blockOffset >= writable.offset + writable.memorySize,
      blockOffset & (UInt64(STAGE_SECTION_STRIDE) - 1) == 0
    else { throw .badSection }
    let id = Int(header.build_id_offset)
    guard header.build_id_size <= 64, id <= file.count - Int(header.build_id_size) else {
      throw .badSection
    }
    // Sound: the range was just held to the file.
    buildID = unsafe [UInt8](file[id..<(id + Int(header.build_id_size))])
  }

  private static func section(
    _ section: baton_stage_section, in file: UnsafeRawBufferPointer
  ) throws(Malformed) -> Section {
    let start = Int(section.file_offset)
    let size = Int(section.file_size)
    guard start <= file.count, size <= file.count - start, size & 7 == 0,
      section.file_size <= section.memory_size, section.memory_size <= UInt32(STAGE_SECTION_STRIDE),
      section.memory_offset & UInt32(STAGE_SECTION_STRIDE - 1) == 0
    else { throw .badSection }
    var words: [UInt64] = []
    words.reserveCapacity(size / 8)
    for offset in stride(from: start, to: start + size, by: 8) {
      // Sound: the section lies in the file.
      words.append(unsafe file.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    return Section(
      offset: UInt64(section.memory_offset), memorySize: UInt64(section.memory_size), words: words)
  }

  /// Fills the stage's own copy of the lifeline in.
  public mutating func setLifeline(_ lifeline: Lifeline) {
    // Sound: a C struct of whole words without padding.
    unsafe withUnsafeBytes(of: lifeline.encoded) { encoded in
      for offset in stride(from: 0, to: encoded.count, by: 8) {
        code.words[(Int(STAGE_HEADER_LIFELINE) + offset) / 8] = unsafe encoded.loadUnaligned(
          fromByteOffset: offset, as: UInt64.self)
      }
    }
  }

  /// The build id as people read it, in hexadecimal.
  public var buildIDText: String { Self.text(ofBuildID: buildID) }

  /// Any program's build id in hexadecimal.
  public static func text(ofBuildID bytes: [UInt8]) -> String {
    var text = ""
    for byte in bytes {
      if byte < 16 { text += "0" }
      text += String(byte, radix: 16)
    }
    return text
  }
}
