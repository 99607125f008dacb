import ArmTranslation
import CBatonArm64
import PhysicalMemory

/// What is mapped where while extents move: one of the five ways to see memory.
///
/// | system | lower range (TTBR0) | upper range (TTBR1) | an extent is seen at |
/// |---|---|---|---|
/// | off | – | – | its addresses, MMU off |
/// | identity | what is touched, the resident parts | – | its addresses |
/// | linear | the resident parts | all memory, largest blocks | its addresses plus an offset |
/// | contiguous | the resident parts, what is moved to | sources end to end, destinations end to end | two windows |
/// | none | – | – | nothing moves |
///
/// EL2's own regime has no upper range: what belongs there lies in the upper half of the lower one.
///
/// *Resident* is what runs while things move, mapped to itself as what it is. Around it, in
/// `control`, nothing is mapped in any range: code cannot be written through another address, and a
/// stack that overflows meets a hole.
///
/// The tables' number of pages is known before they have a place: whatever fails, fails before the
/// first effect.
public struct RelocationMap: Sendable {
  /// What a map is made for.
  public struct Request: Sendable {
    public var regime: TranslationRegime
    public var granule: Granule
    public var format: AddressFormat
    /// What may be mapped cacheable: System RAM.
    public var memory: PhysicalRangeSet
    /// Whole pages, with what they are.
    public var resident: [Mapping]
    /// The control pages: nothing in them is mapped but what is resident.
    public var control: PhysicalRange
    /// The memory of every source and destination, or more than that, in `memory`.
    public var touched: PhysicalRangeSet
    /// The memory of every destination, in `memory`.
    public var destinations: PhysicalRangeSet

    public init(
      regime: TranslationRegime, granule: Granule, format: AddressFormat = .bits48,
      memory: PhysicalRangeSet, resident: [Mapping], control: PhysicalRange,
      touched: PhysicalRangeSet, destinations: PhysicalRangeSet
    ) {
      self.regime = regime
      self.granule = granule
      self.format = format
      self.memory = memory
      self.resident = resident
      self.control = control
      self.touched = touched
      self.destinations = destinations
    }
  }

  /// Why there is no such map.
  public enum Failure: Error, Sendable, Hashable {
    case mapping(MappingError)
    /// A page of this lies outside the memory that may be mapped.
    case outsideMemory(PhysicalRange)
  }

  public let strategy: HandoffBlock.Strategy
  /// The extents as a handoff block lists them: with the strategy's offsets added, their
  /// addresses are those at which they are seen.
  public let extents: [Extent]
  /// Nil where the MMU stays off.
  private let lower: TranslationTables<Building>?
  private let upper: TranslationTables<Building>?

  /// What the strategy adds to a destination's own address, where that is the same for all: who
  /// looks at what was moved looks there. In the contiguous map destinations are at their own
  /// addresses, too.
  public var destinationOffset: UInt64 {
    if case .mapped(_, let offset) = strategy { return offset }
    return 0
  }

  /// The pages, of the granule's size, that the tables take.
  public let pageCount: Int

  /// The tables in the first `pageCount` pages of `memory`, the lower range's root first.
  ///
  /// - Returns: nil where the map has none.
  public consuming func seal(in memory: PhysicalRange) throws(TableMemoryError) -> Tables? {
    guard let lower else { return nil }
    guard let upper else {
      let sealed = try lower.seal(in: memory)
      return Tables(lower: sealed, upper: nil, words: sealed.words)
    }
    let sealed = try lower.seal(before: upper, in: memory)
    return Tables(lower: sealed.lower, upper: sealed.upper, words: sealed.words)
  }

  /// A map's tables, in place.
  public struct Tables: Sendable {
    public let lower: TranslationTables<Sealed>
    public let upper: TranslationTables<Sealed>?
    /// What lies in `memory`.
    public let words: [UInt64]

    public var control: TranslationControl {
      guard let upper else { return lower.control }
      return lower.control(with: upper)
    }

    public var memory: PhysicalRange {
      PhysicalRange(lower.memory.start, upTo: (upper ?? lower).memory.end)
    }

    /// As a handoff block states it.
    public var translation: HandoffBlock.Translation {
      HandoffBlock.Translation(
        root: lower.root, tcr: control.tcr, mair: control.mair, upperRoot: upper?.root)
    }
  }

  // MARK: The five

  /// MMU off, at physical addresses.
  public static func off(_ extents: [Extent]) -> RelocationMap {
    RelocationMap(strategy: .uncached, extents: extents, lower: nil, upper: nil)
  }

  /// Nothing moves, and nothing is mapped.
  public static var none: RelocationMap {
    RelocationMap(strategy: .none, extents: [], lower: nil, upper: nil)
  }

  /// Everything that is touched, at its own address, in blocks as large as memory allows.
  public static func identity(
    _ extents: [Extent], _ request: Request
  ) throws(Failure) -> RelocationMap {
    var tables = TranslationTables<Building>(
      regime: request.regime, granule: request.granule, format: request.format)
    try request.mapIdentity(of: request.touched, in: &tables)
    return RelocationMap(strategy: .identity, extents: extents, lower: tables, upper: nil)
  }

  /// All memory at an offset; at its own address only what is resident.
  public static func linear(
    _ extents: [Extent], _ request: Request
  ) throws(Failure) -> RelocationMap {
    var lower = TranslationTables<Building>(
      regime: request.regime, granule: request.granule, format: request.format)
    var upper = request.emptyUpper
    var memory = request.memory.alignedInward(to: request.granule.pageSize)
    memory.subtract(request.linearHole)
    let offset = request.linearOffset
    do throws(MappingError) {
      for part in request.resident { try lower.map(part) }
      for range in memory.ranges {
        let mapping = Mapping(
          range, at: VirtualAddress(range.start.rawValue &+ offset), as: .data)
        if upper == nil { try lower.map(mapping) } else { try upper?.map(mapping) }
      }
    } catch {
      throw .mapping(error)
    }
    return RelocationMap(
      strategy: .mapped(source: offset, destination: offset), extents: extents, lower: lower,
      upper: upper)
  }

  /// Sources end to end in one window, destinations end to end in another: one long copy, cut only
  /// where zeros are made.
  ///
  /// Each window begins in step with its longest range, which so takes blocks. Destinations are at
  /// their own addresses, too: what was moved is looked at there.
  public static func contiguous(
    _ extents: JoinedExtents, _ request: Request
  ) throws(Failure) -> RelocationMap {
    var lower = TranslationTables<Building>(
      regime: request.regime, granule: request.granule, format: request.format)
    var upper = request.emptyUpper
    try request.mapIdentity(of: request.destinations, in: &lower)

    let sources = extents.sources
    let destinations = extents.destinations
    let step = request.largestUsefulBlock(max(sources.size, destinations.size))
    // Sources, a gap, destinations: below the end of the range, which is left free.
    let lead = sources.lead(step, request.granule)
    let room = (lead + sources.size + step - 1) / step * step + step
    let base = request.windowBase(size: room + step + destinations.size + step, alignment: step)
    let start = base &+ lead
    let target = base &+ room &+ destinations.lead(step, request.granule)
    do throws(MappingError) {
      for window in [sources.window(at: start), destinations.window(at: target)] {
        if upper == nil { try lower.map(window) } else { try upper?.map(window) }
      }
    } catch {
      throw .mapping(error)
    }
    return RelocationMap(
      strategy: .identity, extents: extents.extents(sources: start, destinations: target),
      lower: lower, upper: upper)
  }

  private init(
    strategy: HandoffBlock.Strategy, extents: [Extent], lower: TranslationTables<Building>?,
    upper: TranslationTables<Building>?
  ) {
    self.strategy = strategy
    self.extents = extents
    self.lower = lower
    self.upper = upper
    pageCount = (lower?.pageCount ?? 0) + (upper?.pageCount ?? 0)
  }
}

extension RelocationMap.Request {
  /// The control pages, whole.
  fileprivate var hole: PhysicalRange { control.alignedOutward(to: granule.pageSize) ?? control }

  fileprivate var emptyUpper: TranslationTables<Building>? {
    regime.hasUpperRange
      ? TranslationTables(regime: regime, granule: granule, format: format, range: .upper) : nil
  }

  fileprivate func mapIdentity(
    of touched: PhysicalRangeSet, in tables: inout TranslationTables<Building>
  ) throws(RelocationMap.Failure) {
    var data: PhysicalRangeSet
    do throws(BlockCoverError) {
      data = try memory.blockCover(of: touched, granule: granule, format: format)
    } catch {
      switch error {
      case .outsideMemory(let range): throw .outsideMemory(range)
      }
    }
    data.subtract(hole)
    do throws(MappingError) {
      try tables.map(data, as: .data)
      for part in resident { try tables.map(part) }
    } catch {
      throw .mapping(error)
    }
  }

  /// The memory that the linear map leaves out: the control pages, up to the next boundaries of the
  /// smallest block where nothing that is touched lies in between. That spares a table of pages.
  fileprivate var linearHole: PhysicalRange {
    guard let blocks = hole.alignedOutward(to: granule.smallestBlock),
      !touched.overlaps(blocks), !destinations.overlaps(blocks)
    else { return hole }
    return blocks
  }

  /// What is added to a physical address: in the upper range, memory from its first large block on
  /// begins at the bottom of the smallest range that holds it. Nothing is the last page.
  fileprivate var linearOffset: UInt64 {
    guard let first = memory.ranges.first, let last = memory.ranges.last else { return 0 }
    let block = largestUsefulBlock(last.end - first.start)
    let base = first.start.alignedDown(to: block).rawValue
    return windowBase(size: last.end.rawValue - base + granule.pageSize, alignment: block) &- base
  }

  /// Where `size` bytes begin that belong in the upper range: at its bottom, and it is as small as
  /// it can be.
  fileprivate func windowBase(size: UInt64, alignment: UInt64) -> UInt64 {
    func bits(_ size: UInt64) -> UInt64 { UInt64(64 - max(size, alignment, 2).bitWidthOfLast) }
    if regime.hasUpperRange { return 0 &- (1 << bits(size)) }
    // The upper half of one range, whose lower half holds what is mapped to itself.
    var end = size
    for part in resident { end = max(end, part.physical.end.rawValue) }
    for range in touched.ranges { end = max(end, range.end.rawValue) }
    for range in destinations.ranges { end = max(end, range.end.rawValue) }
    return 1 << bits(end)
  }

  /// The largest block that a run of `size` bytes may hold, or the page.
  fileprivate func largestUsefulBlock(_ size: UInt64) -> UInt64 {
    var result = granule.pageSize
    for block in granule.blocks(format) where block <= size && block > result { result = block }
    return result
  }
}

extension UInt64 {
  /// The leading zeros of the last number below this one: 64 minus the bits that it takes.
  fileprivate var bitWidthOfLast: Int { (self - 1).leadingZeroBitCount }
}

extension RelocationMap {
  /// The map of a system by its name.
  public static func map(
    _ system: RelocationSystem, of extents: [Extent], _ request: Request
  ) throws(Failure) -> RelocationMap {
    switch system {
    case .off: .off(extents)
    case .identity: try identity(extents, request)
    case .linear: try linear(extents, request)
    case .contiguous: try contiguous(JoinedExtents(extents), request)
    case .none: .none
    }
  }
}
