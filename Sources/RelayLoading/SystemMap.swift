import ArmTranslation
import KexecRelocation
import PhysicalMemory

/// The translation tables of a system, and how the stage sees the extents through them.
///
/// Everywhere the stage, the console and all destinations are mapped to themselves: the destinations
/// because they are verified where they are. Sources lie
///
/// | system | seen at |
/// |---|---|
/// | off, identity | their own addresses |
/// | linear | all memory, 2^47 above its own addresses |
/// | contiguous | one behind the other from 2^46 on; the destinations likewise, from 2^46 + 2^45 on |
struct SystemMap {
  static var linearOffset: UInt64 { 1 << 47 }
  static var contiguousSources: UInt64 { 1 << 46 }
  static var contiguousDestinations: UInt64 { 1 << 46 | 1 << 45 }

  let tables: TranslationTables<Building>
  let strategy: HandoffBlock.Strategy
  /// As the block lists them.
  let extents: [Extent]

  init(
    _ request: RelayLoad.Request, extents: [Extent], touched: PhysicalRangeSet,
    destinations: PhysicalRangeSet, control: ControlRegion, at place: PhysicalRange
  ) throws(RelayFailure) {
    let page = request.granule.pageSize
    let whole = place.alignedOutward(to: page) ?? place
    var seen: PhysicalRangeSet
    switch request.system {
    case .off, .identity: seen = touched
    case .linear, .contiguous, .none: seen = destinations
    }
    seen.insert(place)
    var data: PhysicalRangeSet
    do throws(BlockCoverError) {
      data = try request.mappable.blockCover(of: seen, granule: request.granule)
    } catch {
      switch error {
      case .outsideMemory(let range): throw .notInMemory(range)
      }
    }
    data.subtract(whole)
    var tables = TranslationTables<Building>(regime: request.regime, granule: request.granule)
    do throws(MappingError) {
      try tables.map(data, as: .data)
      try Self.mapStage(request, control, at: place, in: &tables)
      switch request.system {
      case .off:
        strategy = .uncached
        self.extents = extents
      case .none:
        strategy = .none
        self.extents = []
      case .identity:
        strategy = .identity
        self.extents = extents
      case .linear:
        strategy = .mapped(source: Self.linearOffset, destination: Self.linearOffset)
        self.extents = extents
        var memory = request.mappable.alignedInward(to: page)
        // The stage's code cannot be written through this one either.
        memory.subtract(whole)
        for range in memory.ranges {
          try tables.map(
            Mapping(range, at: VirtualAddress(range.start.rawValue + Self.linearOffset), as: .data))
        }
      case .contiguous:
        strategy = .identity
        var offset: UInt64 = 0
        for extent in extents {
          try tables.map(
            Mapping(
              extent.source, at: VirtualAddress(Self.contiguousSources + offset), as: .data))
          offset += extent.size
        }
        offset = 0
        for extent in extents {
          try tables.map(
            Mapping(
              extent.destination, at: VirtualAddress(Self.contiguousDestinations + offset),
              as: .data))
          offset += extent.size
        }
        // One long copy, from address to address of the map.
        self.extents =
          Extent(
            source: PhysicalAddress(Self.contiguousSources),
            destination: PhysicalAddress(Self.contiguousDestinations), size: offset
          ).map { [$0] } ?? []
      }
    } catch {
      throw .mapping(error)
    }
    self.tables = tables
  }

  private static func mapStage(
    _ request: RelayLoad.Request, _ control: ControlRegion, at place: PhysicalRange,
    in tables: inout TranslationTables<Building>
  ) throws(MappingError) {
    let page = request.granule.pageSize
    func pages(_ offset: UInt64, _ size: UInt64) -> PhysicalRange {
      let range = PhysicalRange(place.start + offset, upTo: place.start + offset + size)
      return range.alignedOutward(to: page) ?? range
    }
    let stage = request.stage
    try tables.map(Mapping(pages(stage.code.offset, stage.code.memorySize), as: .code))
    try tables.map(
      Mapping(pages(stage.constants.offset, stage.constants.memorySize), as: .readOnlyData))
    try tables.map(Mapping(pages(stage.writable.offset, stage.writable.memorySize), as: .data))
    try tables.map(
      Mapping(pages(control.blockOffset, control.size - control.blockOffset), as: .readOnlyData))
    if let console = request.lifeline.console.registers {
      try tables.map(Mapping(console.alignedOutward(to: page) ?? console, as: .device))
    }
  }
}
