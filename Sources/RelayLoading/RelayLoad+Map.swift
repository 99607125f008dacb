import ArmTranslation
import KexecRelocation
import PhysicalMemory

extension RelayLoad {
  /// What of each range of memory the extents touch, from its first such byte to its last: there
  /// may be tens of thousands of them.
  static func hulls(of extents: [Extent], in memory: PhysicalRangeSet) -> PhysicalRangeSet {
    var starts = memory.ranges.map { $0.end }
    var ends = memory.ranges.map { $0.start }
    for extent in extents {
      for part in [extent.source, extent.destination] {
        for (index, range) in memory.ranges.enumerated() where range.overlaps(part) {
          starts[index] = min(starts[index], part.start)
          ends[index] = max(ends[index], part.end)
        }
      }
    }
    var result = PhysicalRangeSet()
    for (start, end) in zip(starts, ends) {
      if let hull = PhysicalRange(start: start, end: end) { result.insert(hull) }
    }
    return result
  }

  /// The stage's map: the touched memory, as blocks as large as memory allows, and its own parts.
  static func map(
    _ request: Request, touched: PhysicalRangeSet, control: ControlRegion, at place: PhysicalRange
  ) throws(RelayFailure) -> TranslationTables<Building> {
    let page = request.granule.pageSize
    func pages(_ offset: UInt64, _ size: UInt64) -> PhysicalRange {
      let range = PhysicalRange(place.start + offset, upTo: place.start + offset + size)
      return range.alignedOutward(to: page) ?? range
    }
    var all = touched
    all.insert(place)
    var data: PhysicalRangeSet
    do throws(BlockCoverError) {
      data = try request.mappable.blockCover(of: all, granule: request.granule)
    } catch {
      switch error {
      case .outsideMemory(let range): throw .notInMemory(range)
      }
    }
    data.subtract(place.alignedOutward(to: page) ?? place)
    let stage = request.stage
    var tables = TranslationTables<Building>(regime: request.regime, granule: request.granule)
    do throws(MappingError) {
      try tables.map(data, as: .data)
      try tables.map(Mapping(pages(stage.code.offset, stage.code.memorySize), as: .code))
      try tables.map(
        Mapping(pages(stage.constants.offset, stage.constants.memorySize), as: .readOnlyData))
      try tables.map(Mapping(pages(stage.writable.offset, stage.writable.memorySize), as: .data))
      try tables.map(
        Mapping(
          pages(control.blockOffset, control.size - control.blockOffset), as: .readOnlyData))
      if let console = request.lifeline.console.registers {
        try tables.map(Mapping(console.alignedOutward(to: page) ?? console, as: .device))
      }
    } catch {
      throw .mapping(error)
    }
    return tables
  }
}
