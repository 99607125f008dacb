import PhysicalMemory

extension TableLayout {
  /// The descriptors of all tables, one page of them after the other from `base` on, the root
  /// first.
  ///
  /// - Parameter tableCount: how many there are.
  func words(
    at base: PhysicalAddress, tableCount: Int, regime: TranslationRegime
  ) -> [UInt64] {
    let granule = geometry.granule
    let entries = granule.entriesPerTable
    var words = [UInt64](repeating: 0, count: tableCount * entries)
    // Where the next table begins, and the one that each level from −1 on is in now.
    var next = 0
    var current = InlineArray<5, Int>(repeating: 0)
    // Most mappings are of one kind.
    var kind = MemoryKind.data
    var attributes = LeafAttributes(kind, regime: regime, geometry: geometry)
    // Where in a window the next run begins.
    var place = WindowPlace()

    func position(_ virtual: VirtualAddress, level: Int) -> Int {
      let number = geometry.input(virtual) >> UInt64(granule.entryShift(atLevel: level))
      return current[level + 1] + Int(number & UInt64(entries - 1))
    }

    visit(
      table: { level, virtual in
        if level > geometry.startLevel {
          words[position(virtual, level: level - 1)] =
            TableDescriptor(
              nextLevelTable: base + UInt64(next * 8), geometry: geometry
            ).rawValue
        }
        current[level + 1] = next
        next += entries
      },
      run: { run in
        if run.kind != kind {
          kind = run.kind
          attributes = LeafAttributes(kind, regime: regime, geometry: geometry)
        }
        let start = position(run.virtual, level: run.level)
        let places = start..<start + run.count
        if let window = run.window {
          fill(&words, places, from: window, at: &place, attributes)
        } else {
          fill(&words, places, with: run, attributes)
        }
      })
    return words
  }

  /// Entries that map as much each, one behind the other.
  private func fill(
    _ words: inout [UInt64], _ places: Range<Int>, with run: Run, _ attributes: LeafAttributes
  ) {
    var entries = words.mutableSpan
    let size: UInt64 = 1 << UInt64(geometry.granule.entryShift(atLevel: run.level))
    var physical = run.physical
    for index in places {
      entries[index] =
        run.level == Granule.lastLevel
        ? PageDescriptor(
          outputAddress: physical, geometry: geometry, attributes: attributes
        ).rawValue
        : BlockDescriptor(
          outputAddress: physical, geometry: geometry, attributes: attributes
        ).rawValue
      physical = PhysicalAddress(physical.rawValue &+ size)
    }
  }

  /// A place in a window's ranges.
  private struct WindowPlace {
    var window = -1
    /// The range behind the one that is under way; of that one, what is left.
    var range = 0
    var next: UInt64 = 0
    var end: UInt64 = 0
  }

  /// The next entries of a window: a few instructions for a page, wherever it lies.
  private func fill(
    _ words: inout [UInt64], _ places: Range<Int>, from window: Int, at place: inout WindowPlace,
    _ attributes: LeafAttributes
  ) {
    if place.window != window { place = WindowPlace(window: window) }
    var entries = words.mutableSpan
    let all = windows[window].ranges
    let ranges = all.span
    let size = geometry.granule.pageSize
    // Addresses of 48 bits stand in a descriptor where they are.
    let empty = PageDescriptor(
      outputAddress: PhysicalAddress(0), geometry: geometry, attributes: attributes
    ).rawValue
    let isInPlace = geometry.format == .bits48
    var range = place.range
    var next = place.next
    var end = place.end
    for index in places {
      while next == end {
        next = ranges[range].start.rawValue
        end = next &+ ranges[range].size
        range &+= 1
      }
      entries[index] =
        isInPlace
        ? empty | next
        : PageDescriptor(
          outputAddress: PhysicalAddress(next), geometry: geometry, attributes: attributes
        ).rawValue
      next &+= size
    }
    place.range = range
    place.next = next
    place.end = end
  }
}
