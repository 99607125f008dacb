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
}
