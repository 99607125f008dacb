import CBatonArm64
import PhysicalMemory

/// A handoff block in memory, as the stage reads it: no copy, no heap, every offset checked once.
@safe
public struct HandoffBlockView {
  /// Why a block is refused.
  public enum Refusal: Error, Hashable {
    case noMagic(UInt64)
    case unknownVersion(UInt32)
    case unknownFixedSize(UInt32)
    case unknownStrategy(UInt32)
    case badSize(UInt32)
    case wrongAddress(UInt64)
    case badExtents
    case badPieces
    case badRedistributors
    case badProcessors
    case badTables
    case badRecord(UInt64)
    case badChecksum(expected: UInt64, found: UInt64)
  }

  /// The largest block in bytes: it describes 640 MB whose pages of 4 KiB
  /// are all extents of their own, or 80 GiB in pieces of 1 MiB.
  public static let maximumSize: UInt32 = 4 << 20

  private let base: UnsafeRawPointer
  public let header: baton_handoff_block

  /// Reads the block at `base`, which lies at `address` in physical memory.
  ///
  /// Checks everything but the checksum: magic, version, size and that all arrays lie inside.
  ///
  /// Sound where `base` is 8-byte aligned and `maximumSize` bytes from it can be read.
  public init(at base: UnsafeRawPointer, address: PhysicalAddress) throws(Refusal) {
    let header = unsafe base.load(as: baton_handoff_block.self)
    guard header.magic == BATON_BLOCK_MAGIC else { throw .noMagic(header.magic) }
    guard header.version == UInt32(BATON_BLOCK_VERSION) else {
      throw .unknownVersion(header.version)
    }
    guard header.fixed_size == UInt32(MemoryLayout<baton_handoff_block>.size) else {
      throw .unknownFixedSize(header.fixed_size)
    }
    guard header.strategy <= UInt32(BATON_STRATEGY_NONE) else {
      throw .unknownStrategy(header.strategy)
    }
    guard header.size >= UInt32(MemoryLayout<baton_handoff_block>.size),
      header.size <= HandoffBlockView.maximumSize, header.size & 7 == 0
    else { throw .badSize(header.size) }
    guard header.address == address.rawValue else { throw .wrongAddress(header.address) }
    guard
      HandoffBlockView.lies(
        header.extents, of: MemoryLayout<baton_extent>.size, inside: header.size)
    else { throw .badExtents }
    guard
      HandoffBlockView.lies(header.pieces, of: MemoryLayout<baton_piece>.size, inside: header.size)
    else { throw .badPieces }
    guard
      HandoffBlockView.lies(
        header.redistributors, of: MemoryLayout<baton_redistributors>.size, inside: header.size)
    else { throw .badRedistributors }
    let processors = header.processors
    guard
      HandoffBlockView.lies(processors, of: MemoryLayout<UInt64>.size, inside: header.size),
      processors.count <= UInt32(BATON_MAXIMUM_PROCESSORS),
      processors.count == 0
        || PhysicalRange(start: PhysicalAddress(header.stacks), size: header.stacks_size) != nil
          && header.stacks & 4095 == 0
          && header.stacks_size >= UInt64(processors.count) * ProcessorStacks.minimumSlot
    else { throw .badProcessors }
    // The tables lie behind the block: before the checksum has been compared, no other memory is
    // read on the word of the block.
    guard
      let tables = PhysicalRange(start: PhysicalAddress(header.tables), size: header.table_size),
      let surroundings = PhysicalRange(start: address, size: UInt64(ControlRegion.maximumSize)),
      surroundings.contains(tables), header.tables & 4095 == 0, header.table_size & 4095 == 0
    else { throw .badTables }
    unsafe self.base = base
    self.header = header
  }

  private static func lies(_ array: baton_array, of elementSize: Int, inside size: UInt32) -> Bool {
    array.offset & 7 == 0 && array.offset >= UInt32(MemoryLayout<baton_handoff_block>.size)
      && UInt64(array.offset) + UInt64(array.count) * UInt64(elementSize) <= UInt64(size)
  }

  /// Compares the checksum with what lies in memory.
  ///
  /// - Parameters: what lies in memory where the stage's sections and the tables are.
  public func check(
    code: Span<UInt64>, constants: Span<UInt64>, tables: Span<UInt64>
  ) throws(Refusal) {
    // Sound: `init` held the size to a multiple of 8, and its caller vouched for the memory.
    let block = unsafe Span<UInt64>(
      _unsafeStart: base.assumingMemoryBound(to: UInt64.self),
      count: Int(header.size) / MemoryLayout<UInt64>.size)
    let found = BlockChecksum.of(code: code, constants: constants, tables: tables, block: block)
    guard found == header.checksum else {
      throw .badChecksum(expected: header.checksum, found: found)
    }
  }

  /// Where the stage leaves its record, or nil where nobody wants one.
  ///
  /// - Throws: `.badRecord` where that is not in the device tree, as far as its pieces tell.
  public func record() throws(Refusal) -> PhysicalRange? {
    guard header.record != 0 else { return nil }
    var start = UInt64.max
    var end: UInt64 = 0
    for index in 0..<pieceCount {
      let piece = piece(index)
      guard piece.segment == SegmentRole.deviceTree.rawValue else { continue }
      start = min(start, piece.address)
      end = max(end, piece.address &+ UInt64(piece.size))
    }
    guard header.record & 3 == 0,
      let record = PhysicalRange(
        start: PhysicalAddress(header.record),
        size: UInt64(MemoryLayout<baton_handoff_record>.size)),
      let tree = PhysicalRange(start: PhysicalAddress(start), end: PhysicalAddress(end)),
      tree.contains(record)
    else { throw .badRecord(header.record) }
    return record
  }

  public var extentCount: Int { Int(header.extents.count) }
  public var pieceCount: Int { Int(header.pieces.count) }
  public var redistributorCount: Int { Int(header.redistributors.count) }
  public var processorCount: Int { Int(header.processors.count) }

  /// How much all pieces together are, in bytes.
  public var pieceBytes: UInt64 {
    var sum: UInt64 = 0
    for index in 0..<pieceCount { sum &+= UInt64(piece(index).size) }
    return sum
  }

  /// The affinity of the CPU at `index`, below `processorCount`.
  public func processor(_ index: Int) -> UInt64 {
    precondition(index >= 0 && index < processorCount)
    // Sound: `init` held the whole array inside the block.
    return unsafe base.load(
      fromByteOffset: Int(header.processors.offset) + index * MemoryLayout<UInt64>.size,
      as: UInt64.self)
  }

  /// The extent at `index`, below `extentCount`.
  public func extent(_ index: Int) -> baton_extent {
    precondition(index >= 0 && index < extentCount)
    // Sound: `init` held the whole array inside the block.
    return unsafe base.load(
      fromByteOffset: Int(header.extents.offset) + index * MemoryLayout<baton_extent>.stride,
      as: baton_extent.self)
  }

  /// The extents from that at `index` on, at most `extentCount`, as they lie in the block.
  public func extents(from index: Int) -> UnsafePointer<baton_extent> {
    precondition(index >= 0 && index <= extentCount)
    // Sound: `init` held the whole array inside the block, aligned to 8 bytes.
    return unsafe (base + Int(header.extents.offset)).assumingMemoryBound(to: baton_extent.self)
      + index
  }

  /// The piece at `index`, below `pieceCount`.
  public func piece(_ index: Int) -> baton_piece {
    precondition(index >= 0 && index < pieceCount)
    // Sound: `init` held the whole array inside the block.
    return unsafe base.load(
      fromByteOffset: Int(header.pieces.offset) + index * MemoryLayout<baton_piece>.stride,
      as: baton_piece.self)
  }

  /// The region of redistributors at `index`, below `redistributorCount`.
  public func redistributors(_ index: Int) -> baton_redistributors {
    precondition(index >= 0 && index < redistributorCount)
    // Sound: `init` held the whole array inside the block.
    return unsafe base.load(
      fromByteOffset: Int(header.redistributors.offset)
        + index * MemoryLayout<baton_redistributors>.stride,
      as: baton_redistributors.self)
  }

  /// Whether `range` overlaps what the handoff needs: the stage, its block and tables, or the
  /// memory of what was loaded, as far as its pieces tell.
  public func overlaps(_ range: PhysicalRange) -> Bool {
    func overlaps(_ start: UInt64, _ end: UInt64) -> Bool {
      guard let taken = PhysicalRange(start: PhysicalAddress(start), end: PhysicalAddress(end))
      else { return true }
      return range.overlaps(taken)
    }
    if processorCount > 0, overlaps(header.stacks, header.stacks &+ header.stacks_size) {
      return true
    }
    let stage = header.address &- 3 * UInt64(STAGE_SECTION_STRIDE)
    if overlaps(stage, header.tables &+ header.table_size) { return true }
    if overlaps(header.kernel, header.kernel &+ header.kernel_memory_size) { return true }
    for role in SegmentRole.kernel.rawValue...SegmentRole.deviceTree.rawValue {
      var start = UInt64.max
      var end: UInt64 = 0
      for index in 0..<pieceCount {
        let piece = piece(index)
        guard piece.segment == role else { continue }
        start = min(start, piece.address)
        end = max(end, piece.address &+ UInt64(piece.size))
      }
      if start < end, overlaps(start, end) { return true }
    }
    return false
  }
}
