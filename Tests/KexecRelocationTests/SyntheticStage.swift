import CBatonArm64

@testable import KexecRelocation

/// A stage.bin of the right shape without a program in it.
enum SyntheticStage {
  static func file(codeSize: Int = 0x1200, constantsSize: Int = 0x280) -> [UInt8] {
    var header = baton_stage_header()
    header.version = UInt32(STAGE_HEADER_VERSION)
    header.magic = UInt64(STAGE_HEADER_MAGIC)
    header.block_version = UInt32(BATON_BLOCK_VERSION)
    header.block_offset = 3 * UInt32(STAGE_SECTION_STRIDE)
    header.build_id_offset = UInt32(codeSize + 16)
    header.build_id_size = 20
    header.code = baton_stage_section(
      file_offset: 0, memory_offset: 0, file_size: UInt32(codeSize), memory_size: UInt32(codeSize))
    header.constants = baton_stage_section(
      file_offset: UInt32(codeSize), memory_offset: UInt32(STAGE_SECTION_STRIDE),
      file_size: UInt32(constantsSize), memory_size: UInt32(constantsSize))
    header.writable = baton_stage_section(
      file_offset: 0, memory_offset: 2 * UInt32(STAGE_SECTION_STRIDE), file_size: 0,
      memory_size: 0x3000)
    // Sound: a C struct without padding.
    var bytes = unsafe withUnsafeBytes(of: header) { unsafe [UInt8]($0) }
    while bytes.count < codeSize + constantsSize {
      bytes.append(UInt8(truncatingIfNeeded: bytes.count))
    }
    return bytes
  }

  static func image(_ file: [UInt8] = file()) throws -> StageImage {
    // Sound: the buffer lives for the closure.
    try unsafe file.withUnsafeBytes { try unsafe StageImage($0) }
  }
}
