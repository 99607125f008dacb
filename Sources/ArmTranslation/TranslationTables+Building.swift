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
    for window in state.windows where window.overlaps(mapping) {
      throw .overlap(mapping, with: window.part { $0.overlaps(mapping) })
    }
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

  /// Declares `window`. An empty one maps nothing.
  ///
  /// - Throws: `MappingError`, of the range that is not acceptable; the tables are then as they were.
  public mutating func map(_ window: Window) throws(MappingError) {
    let pageSize = state.granule.pageSize
    let bits = state.format.bits
    guard window.alignmentBits & (pageSize - 1) == 0, window.virtualStart.isAligned(to: pageSize)
    else {
      throw .unaligned(
        window.part {
          ($0.physical.start.rawValue | $0.physical.size) & (pageSize - 1) != 0
        }, pageSize: pageSize)
    }
    // A range may end right where the addresses do.
    if window.endBits >> UInt64(bits) != 0,
      let part = window.firstPart(where: { $0.physical.end.rawValue > 1 << UInt64(bits) })
    {
      throw .beyondPhysicalAddressSize(part, bits: bits)
    }
    guard isInRange(window.virtualStart, size: window.size) else {
      throw .beyondVirtualAddressSize(window.part { _ in false }, bits: bits)
    }
    guard window.size > 0 else { return }
    for mapping in state.mappings where window.overlaps(mapping) {
      throw .overlap(window.part { $0.overlaps(mapping) }, with: mapping)
    }
    var index = 0
    for other in state.windows {
      guard window.virtualStart < other.virtualEnd else {
        index += 1
        continue
      }
      guard window.virtualEnd <= other.virtualStart else {
        throw .overlap(window.part { other.overlaps($0) }, with: other.part { window.overlaps($0) })
      }
      break
    }
    state.windows.insert(window, at: index)
    var place = 0
    while place < state.parts.count, state.parts[place].virtualStart < window.virtualStart {
      place += 1
    }
    state.parts.insert(contentsOf: window.parts(state.granule), at: place)
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
    let layout = layout
    let pages = layout.tableCount
    var words = [UInt64]()
    words.reserveCapacity(pages * state.granule.entriesPerTable)
    let used = try seal(layout, pages, in: memory, appendingTo: &words)
    return TranslationTables<Sealed>(
      state: Sealed(
        memory: used, allWords: words, firstWord: 0, regime: state.regime, range: state.range,
        geometry: layout.geometry))
  }

  /// Puts the tables of both ranges into the first pages of `memory`, one behind the other, these
  /// first: as `seal(in:)` twice, but that all words are in one array without being copied.
  ///
  /// - Returns: both, and the words of both.
  public consuming func seal(
    before upper: consuming TranslationTables<Building>, in memory: PhysicalRange
  ) throws(TableMemoryError) -> (
    lower: TranslationTables<Sealed>, upper: TranslationTables<Sealed>, words: [UInt64]
  ) {
    let layouts = (layout, upper.layout)
    let pages = (layouts.0.tableCount, layouts.1.tableCount)
    var words = [UInt64]()
    words.reserveCapacity((pages.0 + pages.1) * state.granule.entriesPerTable)
    let first = try seal(layouts.0, pages.0, in: memory, appendingTo: &words)
    let firstWord = words.count
    let second = try upper.seal(
      layouts.1, pages.1, in: PhysicalRange(first.end, upTo: memory.end), appendingTo: &words)
    return (
      TranslationTables<Sealed>(
        state: Sealed(
          memory: first, allWords: words, firstWord: 0, regime: state.regime, range: state.range,
          geometry: layouts.0.geometry)),
      TranslationTables<Sealed>(
        state: Sealed(
          memory: second, allWords: words, firstWord: firstWord, regime: upper.state.regime,
          range: upper.state.range, geometry: layouts.1.geometry)),
      words
    )
  }

  /// - Returns: the pages that the tables take.
  private func seal(
    _ layout: TableLayout, _ pages: Int, in memory: PhysicalRange,
    appendingTo words: inout [UInt64]
  ) throws(TableMemoryError) -> PhysicalRange {
    let granule = state.granule
    guard memory.start.isAligned(to: granule.pageSize) else {
      throw .unaligned(memory, pageSize: granule.pageSize)
    }
    guard memory.end.rawValue >> UInt64(state.format.bits) == 0 else {
      throw .beyondPhysicalAddressSize(memory, bits: state.format.bits)
    }
    guard UInt64(pages) <= memory.size / granule.pageSize,
      let used = PhysicalRange(start: memory.start, size: UInt64(pages) * granule.pageSize)
    else {
      throw .tooSmall(memory, pagesNeeded: pages)
    }
    layout.append(to: &words, at: memory.start, regime: state.regime)
    return used
  }

  private var layout: TableLayout {
    let geometry =
      switch state.range {
      case .lower:
        TranslationGeometry(
          granule: state.granule, format: state.format,
          end: max(
            state.mappings.last?.virtualEnd.rawValue ?? 0,
            state.windows.last?.virtualEnd.rawValue ?? 0))
      case .upper:
        TranslationGeometry(
          granule: state.granule, format: state.format,
          start: min(
            state.mappings.first?.virtualStart.rawValue ?? .max,
            state.windows.first?.virtualStart.rawValue ?? .max))
      }
    return TableLayout(geometry: geometry, mappings: state.mappings, parts: state.parts)
  }

  private func check(_ mapping: Mapping) throws(MappingError) {
    let physical = mapping.physical
    let pageSize = state.granule.pageSize
    guard physical.start.isAligned(to: pageSize), physical.end.isAligned(to: pageSize),
      mapping.virtualStart.isAligned(to: pageSize)
    else { throw .unaligned(mapping, pageSize: pageSize) }
    let bits = state.format.bits
    guard physical.end.rawValue <= 1 << UInt64(bits) else {
      throw .beyondPhysicalAddressSize(mapping, bits: bits)
    }
    guard isInRange(mapping.virtualStart, size: physical.size) else {
      throw .beyondVirtualAddressSize(mapping, bits: bits)
    }
  }

  /// Whether the tables' range has `size` bytes from `start` on, their end in 64 bits.
  private func isInRange(_ start: VirtualAddress, size: UInt64) -> Bool {
    let limit: UInt64 = 1 << UInt64(state.format.bits)
    let (end, overflow) = start.rawValue.addingReportingOverflow(size)
    let isInside =
      switch state.range {
      case .lower: end <= limit
      case .upper: start.rawValue >= 0 &- limit
      }
    return !overflow && isInside
  }
}
