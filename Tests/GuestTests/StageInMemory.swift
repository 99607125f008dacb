import CBatonArm64
import KexecRelocation
import Lab
import PhysicalMemory

/// The loaded stage of a stopped guest: what a test changes in it looks, to the stage, as if it had
/// been loaded so.
struct StageInMemory {
  let stub: DebugStub
  let base: PhysicalAddress
  private let blockAddress: PhysicalAddress
  private let tablesAddress: PhysicalAddress
  private var code: [UInt64]
  private let constants: [UInt64]
  var block: [UInt64]
  var tables: [UInt64]

  struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
      self.description = description
    }
  }

  init(_ stub: DebugStub, _ listing: PlanListing) throws {
    guard let base = listing.entry, let block = listing.ranges[.block],
      let tables = listing.ranges[.tables]
    else { throw Failure("no stage, block or tables are listed") }
    self.stub = stub
    self.base = base
    blockAddress = block.start
    tablesAddress = tables.start
    let header = try Self.words(stub, base, MemoryLayout<baton_stage_header>.size)
    guard header[1] == UInt64(STAGE_HEADER_MAGIC) else { throw Failure("no stage at \(base)") }
    // struct baton_stage_section: offset in the file, in memory; size in the file, in memory.
    func section(_ field: PartialKeyPath<baton_stage_header>) throws -> [UInt64] {
      guard let offset = MemoryLayout<baton_stage_header>.offset(of: field) else {
        throw Failure("no such field")
      }
      return try Self.words(
        stub, base + header[offset / 8] >> 32, Int(header[offset / 8 + 1] & 0xFFFF_FFFF))
    }
    code = try section(\.code)
    constants = try section(\.constants)
    // Longer than listed where a test has added to it.
    let start = try Self.words(stub, block.start, MemoryLayout<baton_handoff_block>.size)
    self.block = try Self.words(stub, block.start, Int(start[Self.word(\.version)] >> 32))
    guard self.block[0] == BATON_BLOCK_MAGIC else { throw Failure("no block at \(block.start)") }
    self.tables = try Self.words(stub, tables.start, Int(tables.size))
  }

  private static func words(
    _ stub: DebugStub, _ address: PhysicalAddress, _ size: Int
  ) throws -> [UInt64] {
    let bytes = try stub.read(PhysicalRange(address, upTo: address + UInt64(size)))
    return stride(from: 0, to: size, by: 8).map { start in
      bytes[start..<(start + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  static func bytes(_ words: [UInt64]) -> [UInt8] {
    words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
  }

  /// The index in `block` of a field of its fixed part.
  static func word(_ field: PartialKeyPath<baton_handoff_block>) -> Int {
    (MemoryLayout<baton_handoff_block>.offset(of: field) ?? 0) / 8
  }

  /// The code as instructions.
  var instructions: [UInt32] {
    code.flatMap { [UInt32(truncatingIfNeeded: $0), UInt32($0 >> 32)] }
  }

  /// Replaces the instruction at `index` of `instructions` by NOP.
  mutating func remove(_ index: Int) {
    let shift = UInt64(index % 2 * 32)
    code[index / 2] = code[index / 2] & ~(0xFFFF_FFFF << shift) | 0xD503_201F << shift
  }

  /// Adds moves to a block that has none.
  mutating func add(_ extents: [Extent]) throws {
    guard block[Self.word(\.extents)] >> 32 == 0 else { throw Failure("the block has extents") }
    block[Self.word(\.extents)] = UInt64(block.count * 8) | UInt64(extents.count) << 32
    for extent in extents {
      block += [extent.source.start.rawValue, extent.destination.start.rawValue, extent.size]
    }
    let size = UInt64(block.count * 8)
    block[Self.word(\.version)] = block[Self.word(\.version)] & 0xFFFF_FFFF | size << 32
    guard blockAddress + size <= tablesAddress else { throw Failure("no room behind the block") }
  }

  /// Sets both copies of the lifeline.
  mutating func setLifeline(_ lifeline: Lifeline) {
    // Sound: a C struct of whole words without padding.
    let words = unsafe withUnsafeBytes(of: lifeline.encoded) { bytes in
      stride(from: 0, to: bytes.count, by: 8).map {
        unsafe bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self)
      }
    }
    for (index, word) in words.enumerated() {
      code[Int(STAGE_HEADER_LIFELINE) / 8 + index] = word
      block[Self.word(\.lifeline) + index] = word
    }
  }

  /// Writes what was changed, the checksum made to fit.
  mutating func store() throws {
    block[Int(BATON_BLOCK_CHECKSUM_OFFSET) / 8] = BlockChecksum.of(
      code: code.span, constants: constants.span, tables: tables.span, block: block.span)
    try stub.writeAll(Self.bytes(code), to: base)
    try stub.writeAll(Self.bytes(tables), to: tablesAddress)
    try stub.writeAll(Self.bytes(block), to: blockAddress)
  }

  /// Where the stage's function of that name lies.
  func address(of function: String) throws -> PhysicalAddress {
    guard let offset = try StageSymbols().addresses[function] else {
      throw Failure("the stage has no \(function)")
    }
    return base + UInt64(offset)
  }
}
