import CBatonArm64
import KexecRelocation
import Lab
import PhysicalMemory
import Testing

/// The stage and its handoff block in the memory of a guest that is stopped at the stage's entry:
/// read, changed by a test, and given the checksum that the change needs, as if it had been loaded
/// so.
struct LoadedStage {
  /// The stage's code as words of 32 bits.
  private(set) var code: [UInt32]
  let base: PhysicalAddress
  private let constants: [UInt64]
  private let tables: [UInt64]
  private var block: [UInt64]
  private let blockAddress: PhysicalAddress
  /// Where the block has to end.
  private let tableStart: UInt64

  // Offsets in struct baton_handoff_block, in words; the size is the upper half of its word.
  private static let sizeWord = 1
  private static let tableWord = word(of: \.tables)
  private static let extentWord = word(of: \.extents)

  private static func word<Field>(of field: KeyPath<baton_handoff_block, Field>) -> Int {
    (MemoryLayout<baton_handoff_block>.offset(of: field) ?? 0) / 8
  }

  /// - Parameter base: the stage's first instruction.
  init(at base: PhysicalAddress, _ stub: DebugStub) throws {
    func words(_ start: PhysicalAddress, _ size: UInt64) throws -> [UInt64] {
      Self.words(try stub.read(PhysicalRange(start, upTo: start + size)))
    }
    self.base = base
    let header = try words(base, UInt64(MemoryLayout<baton_stage_header>.size))
    try #require(header[1] == UInt64(STAGE_HEADER_MAGIC), "no stage at \(base)")
    func section(_ index: Int) throws -> [UInt64] {
      // Four 32-bit fields: the offsets in file and memory, then the sizes.
      let offset = header[4 + 2 * index] >> 32
      return try words(base + offset, header[5 + 2 * index] & 0xffff_ffff)
    }
    code = try section(0).flatMap { [UInt32(truncatingIfNeeded: $0), UInt32($0 >> 32)] }
    constants = try section(1)
    blockAddress = base + header[2] >> 32
    let start = try words(blockAddress, UInt64(MemoryLayout<baton_handoff_block>.size))
    try #require(start[0] == BATON_BLOCK_MAGIC, "no block at \(blockAddress)")
    block = try words(blockAddress, start[Self.sizeWord] >> 32)
    tableStart = block[Self.tableWord]
    tables = try words(PhysicalAddress(tableStart), block[Self.tableWord + 1])
  }

  /// Adds a move to a block that has none.
  mutating func add(_ extent: Extent) throws {
    try #require(block[Self.extentWord] >> 32 == 0, "the block has extents")
    block[Self.extentWord] = UInt64(block.count * 8) | 1 << 32
    block += [extent.source.start.rawValue, extent.destination.start.rawValue, extent.size]
    let size = UInt64(block.count * 8)
    block[Self.sizeWord] = block[Self.sizeWord] & 0xffff_ffff | size << 32
    try #require(blockAddress.rawValue + size <= tableStart, "no room behind the block")
  }

  /// Replaces the instruction at `index` of `code` by NOP.
  mutating func remove(_ index: Int) { code[index] = 0xd503_201f }

  /// Writes code and block back, with the checksum that they have now.
  func store(_ stub: DebugStub) throws {
    let codeWords = stride(from: 0, to: code.count, by: 2).map {
      UInt64(code[$0]) | UInt64(code[$0 + 1]) << 32
    }
    var block = block
    block[Int(BATON_BLOCK_CHECKSUM_OFFSET) / 8] = BlockChecksum.of(
      code: codeWords.span, constants: constants.span, tables: tables.span, block: block.span)
    try stub.writeAll(Self.bytes(codeWords), to: base)
    try stub.writeAll(Self.bytes(block), to: blockAddress)
  }

  private static func words(_ bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count, by: 8).map { start in
      bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  private static func bytes(_ words: [UInt64]) -> [UInt8] {
    words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }
}
