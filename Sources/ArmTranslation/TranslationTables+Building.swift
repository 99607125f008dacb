import PhysicalMemory

extension TranslationTables where State == Building {
  /// Tables that map nothing yet.
  ///
  /// - Precondition: the regime has the range.
  public init(
    regime: TranslationRegime, granule: Granule, format: AddressFormat = .bits48,
    range: AddressRange = .lower
  ) {
    precondition(range == .lower || regime.hasUpperRange)
    self.init(
      state: Building(regime: regime, granule: granule, format: format, range: range))
  }

  /// Declares `mapping`. An empty one maps nothing.
  ///
  /// What is mapped stays as it is: no two mappings may share a virtual page. Where a region has
  /// parts of another kind, subtract them first (`PhysicalRangeSet.subtract`). The tables depend
  /// on what is mapped, not on the order in which or the pieces in which it was declared.
  ///
  /// - Throws: `MappingError`; the tables are then as they were.
  public mutating func map(_ mapping: Mapping) throws(MappingError) {
    try check(mapping)
    guard !mapping.physical.isEmpty else { return }
    // Most maps are declared in ascending order.
    guard let last = state.mappings.last, mapping.virtualStart < last.virtualEnd else {
      if let last = state.mappings.last, last.isContinued(by: mapping) {
        state.mappings[state.mappings.count - 1] = last.joined(with: mapping)
      } else {
        state.mappings.append(mapping)
      }
      return
    }
    // The first mapping that does not lie wholly below the new one.
    var index = 0
    var bound = state.mappings.count
    while index < bound {
      let middle = (index + bound) / 2
      if state.mappings[middle].virtualEnd <= mapping.virtualStart {
        index = middle + 1
      } else {
        bound = middle
      }
    }
    var joined = mapping
    if index < state.mappings.count {
      let next = state.mappings[index]
      guard mapping.virtualEnd <= next.virtualStart else {
        throw .overlap(mapping, with: next)
      }
      if mapping.isContinued(by: next) {
        joined = mapping.joined(with: next)
        state.mappings.remove(at: index)
      }
    }
    if index > 0, state.mappings[index - 1].isContinued(by: joined) {
      state.mappings[index - 1] = state.mappings[index - 1].joined(with: joined)
    } else {
      state.mappings.insert(joined, at: index)
    }
  }

  /// Declares every range of `set`, mapped to itself.
  ///
  /// - Throws: `MappingError`; the ranges below the offending one are then mapped.
  public mutating func map(_ set: PhysicalRangeSet, as kind: MemoryKind) throws(MappingError) {
    for range in set.ranges { try map(Mapping(range, as: kind)) }
  }

  /// The number of pages, of the granule's size, that `seal(in:)` will take: exact, and the same
  /// wherever the tables come to lie.
  public var pageCount: Int { layout.tableCount }

  /// Puts the tables into the first `pageCount` pages of `memory`, the root first.
  ///
  /// Whether `memory` itself is mapped is the caller's affair: the table walk needs no mapping.
  ///
  /// - Throws: `TableMemoryError` where `memory` is not page-aligned, too high or too small.
  public consuming func seal(
    in memory: PhysicalRange
  ) throws(TableMemoryError) -> TranslationTables<Sealed> {
    let granule = state.granule
    guard memory.start.isAligned(to: granule.pageSize) else {
      throw .unaligned(memory, pageSize: granule.pageSize)
    }
    guard memory.end.rawValue >> UInt64(state.format.bits) == 0 else {
      throw .beyondPhysicalAddressSize(memory, bits: state.format.bits)
    }
    let layout = layout
    let words = layout.words(at: memory.start, regime: state.regime)
    let pages = words.count / granule.entriesPerTable
    guard UInt64(pages) <= memory.size / granule.pageSize,
      let used = PhysicalRange(start: memory.start, size: UInt64(pages) * granule.pageSize)
    else {
      throw .tooSmall(memory, pagesNeeded: pages)
    }
    return TranslationTables<Sealed>(
      state: Sealed(
        memory: used,
        words: words,
        regime: state.regime, range: state.range, geometry: layout.geometry))
  }

  private var layout: TableLayout {
    let geometry =
      switch state.range {
      case .lower:
        TranslationGeometry(
          granule: state.granule, format: state.format,
          end: state.mappings.last?.virtualEnd.rawValue ?? 0)
      case .upper:
        TranslationGeometry(
          granule: state.granule, format: state.format,
          start: state.mappings.first?.virtualStart.rawValue ?? .max)
      }
    return TableLayout(geometry: geometry, mappings: state.mappings)
  }

  private func check(_ mapping: Mapping) throws(MappingError) {
    let physical = mapping.physical
    let pageSize = state.granule.pageSize
    guard physical.start.isAligned(to: pageSize), physical.end.isAligned(to: pageSize),
      mapping.virtualStart.isAligned(to: pageSize)
    else { throw .unaligned(mapping, pageSize: pageSize) }
    let bits = state.format.bits
    let limit: UInt64 = 1 << UInt64(bits)
    guard physical.end.rawValue <= limit else {
      throw .beyondPhysicalAddressSize(mapping, bits: bits)
    }
    let (virtualEnd, overflow) = mapping.virtualStart.rawValue.addingReportingOverflow(
      physical.size)
    let isInside =
      switch state.range {
      case .lower: virtualEnd <= limit
      case .upper: mapping.virtualStart.rawValue >= 0 &- limit
      }
    guard !overflow, isInside else {
      throw .beyondVirtualAddressSize(mapping, bits: bits)
    }
  }
}
