import ArmTranslation
import BootDigests
import CBatonArm64
import PhysicalMemory

/// What the loader tells the stage, before it is encoded (`struct baton_handoff_block`).
public struct HandoffBlock: Sendable {
  /// One family of regimes, ready to be switched on.
  public struct Translation: Sendable, Hashable {
    public var root: PhysicalAddress
    public var tcr: UInt64
    public var mair: UInt64
    /// The root of the upper range's tables (TTBR1), or nil where it is not used.
    public var upperRoot: PhysicalAddress?

    public init(
      root: PhysicalAddress, tcr: UInt64, mair: UInt64, upperRoot: PhysicalAddress? = nil
    ) {
      self.root = root
      self.tcr = tcr
      self.mair = mair
      self.upperRoot = upperRoot
    }
  }

  /// How the extents are moved.
  public enum Strategy: Sendable, Hashable {
    /// MMU and caches on, through the tables: an extent is read at its source plus `source`, and
    /// written at its destination plus `destination`, modulo 2^64.
    case mapped(source: UInt64, destination: UInt64)
    /// MMU off, at physical addresses, destination lines invalidated first.
    case uncached
    /// Not at all: nothing moves, and there are no tables.
    case none

    /// Through an identity map.
    public static var identity: Strategy { .mapped(source: 0, destination: 0) }
  }

  /// Where the block will lie; a multiple of 8.
  public var address: PhysicalAddress
  public var lifeline: Lifeline
  /// The next kernel's first instruction.
  public var entry: PhysicalAddress
  /// x0 to x3 at that instruction.
  public var arguments: (UInt64, UInt64, UInt64, UInt64)
  public var tables: PhysicalRange
  public var granule: Granule
  /// For EL1&0, and for EL2&0 where HCR_EL2.E2H is set.
  public var el1Layout: Translation?
  /// For EL2's own regime.
  public var el2Layout: Translation?
  public var strategy: Strategy
  public var extents: [Extent]
  public var pieces: [Piece]
  /// Where the stage leaves its record (`struct baton_handoff_record`): in the device tree, a
  /// multiple of 4. Nil where nobody wants one.
  public var record: PhysicalAddress?

  public var redistributors: [RedistributorRegion]
  /// The kernel's first byte: where `entry` is, unless something comes in between.
  public var kernelStart: PhysicalAddress
  /// What the kernel takes from there on, in bytes.
  public var kernelMemorySize: UInt64
  /// How much of that is loaded, in bytes; the stage cleans the rest to the point of coherency.
  public var kernelLoadedSize: UInt64
  /// The size of the next kernel's pages, or nil where it does not say.
  public var kernelPageSize: Granule?
  /// The CPUs that share the work, by their affinity (MPIDR_EL1); none: the stage works alone.
  public var processors: [UInt64]
  /// Where their stacks lie (`ProcessorStacks`); nil where there are none.
  public var stacks: PhysicalRange?

  public init(
    address: PhysicalAddress, lifeline: Lifeline, entry: PhysicalAddress,
    arguments: (UInt64, UInt64, UInt64, UInt64), tables: PhysicalRange, granule: Granule,
    el1Layout: Translation?, el2Layout: Translation?, strategy: Strategy = .identity,
    extents: [Extent], pieces: [Piece],
    record: PhysicalAddress? = nil, redistributors: [RedistributorRegion] = [],
    kernelStart: PhysicalAddress? = nil, kernelMemorySize: UInt64 = 0, kernelLoadedSize: UInt64 = 0,
    kernelPageSize: Granule? = nil,
    processors: [UInt64] = [],
    stacks: PhysicalRange? = nil
  ) {
    self.address = address
    self.lifeline = lifeline
    self.entry = entry
    self.arguments = arguments
    self.tables = tables
    self.granule = granule
    self.el1Layout = el1Layout
    self.el2Layout = el2Layout
    self.strategy = strategy
    self.extents = extents
    self.pieces = pieces
    self.record = record
    self.redistributors = redistributors
    self.kernelStart = kernelStart ?? entry
    self.kernelMemorySize = kernelMemorySize
    self.kernelLoadedSize = kernelLoadedSize
    self.kernelPageSize = kernelPageSize
    self.processors = processors
    self.stacks = stacks
  }

  /// The size in bytes of a block with so many elements in its arrays; a multiple of 8.
  public static func size(
    extents: Int, pieces: Int, redistributors: Int = 0, processors: Int = 0
  ) -> Int {
    MemoryLayout<baton_handoff_block>.size + extents * MemoryLayout<baton_extent>.size
      + pieces * MemoryLayout<baton_piece>.size
      + redistributors * MemoryLayout<baton_redistributors>.size
      + processors * MemoryLayout<UInt64>.size
  }

  /// The block as bytes, its checksum over `stage`, `tables` and itself filled in.
  ///
  /// - Parameters:
  ///   - code: the stage's code as it will lie in memory, the lifeline filled in.
  ///   - constants: the stage's constants, likewise.
  ///   - tableWords: the content of `tables`.
  public func encoded(
    code: Span<UInt64>, constants: Span<UInt64>, tables tableWords: Span<UInt64>
  ) -> [UInt64] {
    let size = HandoffBlock.size(
      extents: extents.count, pieces: pieces.count, redistributors: redistributors.count,
      processors: processors.count)
    var header = baton_handoff_block()
    header.magic = BATON_BLOCK_MAGIC
    header.version = UInt32(BATON_BLOCK_VERSION)
    header.size = UInt32(size)
    header.fixed_size = UInt32(MemoryLayout<baton_handoff_block>.size)
    switch strategy {
    case .mapped(let source, let destination):
      header.strategy = UInt32(BATON_STRATEGY_MAPPED)
      header.source_offset = source
      header.destination_offset = destination
    case .uncached: header.strategy = UInt32(BATON_STRATEGY_UNCACHED)
    case .none: header.strategy = UInt32(BATON_STRATEGY_NONE)
    }
    header.address = address.rawValue
    header.lifeline = lifeline.encoded
    header.entry = entry.rawValue
    header.arguments = arguments
    header.tables = tables.start.rawValue
    header.table_size = tables.size
    header.el1_layout = HandoffBlock.encode(el1Layout)
    header.el2_layout = HandoffBlock.encode(el2Layout)
    header.granule_shift = UInt32(granule.shift)
    header.kernel_granule_shift = UInt32(kernelPageSize?.shift ?? 0)
    header.extents.offset = UInt32(MemoryLayout<baton_handoff_block>.size)
    header.extents.count = UInt32(extents.count)
    header.pieces.offset = UInt32(HandoffBlock.size(extents: extents.count, pieces: 0))
    header.pieces.count = UInt32(pieces.count)

    header.redistributors.offset = UInt32(
      HandoffBlock.size(extents: extents.count, pieces: pieces.count))
    header.redistributors.count = UInt32(redistributors.count)
    header.processors.offset = UInt32(
      HandoffBlock.size(
        extents: extents.count, pieces: pieces.count, redistributors: redistributors.count))
    header.processors.count = UInt32(processors.count)
    header.stacks = stacks?.start.rawValue ?? 0
    header.stacks_size = stacks?.size ?? 0
    header.kernel = kernelStart.rawValue
    header.kernel_memory_size = kernelMemorySize
    header.kernel_loaded_size = kernelLoadedSize
    header.record = record?.rawValue ?? 0

    var words: [UInt64] = []
    words.reserveCapacity(size / MemoryLayout<UInt64>.size)
    HandoffBlock.append(header, to: &words)
    for extent in extents {
      words.append(extent.sourceStart)
      words.append(extent.destinationStart)
      words.append(extent.size)
    }
    for piece in pieces {
      var encoded = baton_piece()
      encoded.address = piece.range.start.rawValue
      encoded.size = UInt32(piece.range.size)
      encoded.segment = piece.role.rawValue
      // Sound: both are 32 bytes without padding.
      unsafe withUnsafeMutableBytes(of: &encoded.digest) { target in
        for index in 0..<32 { unsafe target[index] = piece.digest.bytes[index] }
      }
      HandoffBlock.append(encoded, to: &words)
    }
    for region in redistributors {
      HandoffBlock.append(
        baton_redistributors(
          start: region.range.start.rawValue, size: region.range.size, stride: region.stride ?? 0),
        to: &words)
    }
    words += processors
    words[Int(BATON_BLOCK_CHECKSUM_OFFSET) / MemoryLayout<UInt64>.size] = BlockChecksum.of(
      code: code, constants: constants, tables: tableWords, block: words.span)
    return words
  }

  private static func encode(_ translation: Translation?) -> baton_translation {
    guard let translation else { return baton_translation() }
    return baton_translation(
      root: translation.root.baseAddressField, tcr: translation.tcr, mair: translation.mair,
      upper: translation.upperRoot?.baseAddressField ?? 0)
  }

  private static func append<Value: BitwiseCopyable>(_ value: Value, to words: inout [UInt64]) {
    // Sound: the C structs of the block have no padding and are whole words, as the assertions
    // beside their declarations hold.
    unsafe withUnsafeBytes(of: value) { bytes in
      for offset in stride(from: 0, to: bytes.count, by: MemoryLayout<UInt64>.size) {
        words.append(unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      }
    }
  }
}
