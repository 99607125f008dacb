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

  struct Missing: Error {}

  init(_ stub: DebugStub, _ listing: PlanListing) throws {
    guard let base = listing.entry, let block = listing.ranges[.block],
      let tables = listing.ranges[.tables]
    else { throw Missing() }
    self.stub = stub
    self.base = base
    blockAddress = block.start
    tablesAddress = tables.start
    let header = try Self.words(stub, base, MemoryLayout<baton_stage_header>.size)
    // struct baton_stage_section: offset in the file, in memory; size in the file, in memory.
    func section(_ field: PartialKeyPath<baton_stage_header>) throws -> [UInt64] {
      guard let offset = MemoryLayout<baton_stage_header>.offset(of: field) else { throw Missing() }
      return try Self.words(
        stub, base + header[offset / 8] >> 32, Int(header[offset / 8 + 1] & 0xFFFF_FFFF))
    }
    code = try section(\.code)
    constants = try section(\.constants)
    self.block = try Self.words(stub, block.start, Int(block.size))
    self.tables = try Self.words(stub, tables.start, Int(tables.size))
  }

  /// As much as the stub takes at once, in bytes.
  private static let packetSize = 1024

  private static func words(
    _ stub: DebugStub, _ address: PhysicalAddress, _ size: Int
  ) throws -> [UInt64] {
    var bytes: [UInt8] = []
    while bytes.count < size {
      bytes += try stub.read(
        address + UInt64(bytes.count), count: min(packetSize, size - bytes.count))
    }
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
    try write(code, to: base)
    try write(tables, to: tablesAddress)
    try write(block, to: blockAddress)
  }

  private func write(_ words: [UInt64], to address: PhysicalAddress) throws {
    let count = Self.packetSize / 8
    for start in stride(from: 0, to: words.count, by: count) {
      try stub.write(
        Self.bytes(Array(words[start..<min(start + count, words.count)])),
        to: address + UInt64(start * 8))
    }
  }

  /// Where the stage's function of that name lies.
  func address(of function: String) throws -> PhysicalAddress {
    guard let offset = try StageSymbols().addresses[function] else { throw Missing() }
    return base + UInt64(offset)
  }
}
