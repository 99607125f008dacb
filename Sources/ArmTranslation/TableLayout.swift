import PhysicalMemory

/// The shape of the tables that a list of mappings needs: which tables, in which order, and which
/// entries in them map memory. It knows no table's address, so the number of tables can be had
/// before there is a place for them.
struct TableLayout {
  /// Entries of one table, one behind the other, that map memory, each as much as the one before
  /// it: blocks, or at level 3 pages.
  struct Run {
    let level: Int
    let count: Int
    /// Of the first entry.
    let virtual: VirtualAddress
    /// Of no meaning in a window.
    let physical: PhysicalAddress
    let kind: MemoryKind
    /// The part of a window that the entries belong to, page by page: they go on where its run
    /// before has ended.
    let part: Int?
  }

  let geometry: TranslationGeometry
  /// In ascending order of virtual addresses, disjoint, joined wherever they can be, multiples of
  /// the granule's page.
  let mappings: [Mapping]
  /// Likewise, but for the joining.
  let parts: [WindowPart]

  /// The number of tables, a page each.
  var tableCount: Int {
    var count = 0
    visit(table: { _, _ in count += 1 }, run: { _ in })
    return count
  }

  /// Calls `table` once for every table, with its level and a virtual address that it covers, and
  /// `run` for all entries that map memory, in ascending order and as many at a time as there are; a
  /// table comes before all that lies in it, the root first.
  ///
  /// Linear in the number of mappings, parts of windows and runs; how many ranges a part has does not
  /// matter.
  @inline(__always)
  func visit(table: (Int, VirtualAddress) -> Void, run: (Run) -> Void) {
    let granule = geometry.granule
    let startLevel = geometry.startLevel
    let lastLevel = Granule.lastLevel
    let entries = UInt64(granule.entriesPerTable)
    let pageShift = UInt64(granule.shift)
    let pagesShift = UInt64(granule.entryShift(atLevel: lastLevel - 1))
    table(
      startLevel,
      mappings.first?.virtualStart ?? parts.first?.virtualStart ?? VirtualAddress(0))
    // Leaves come in ascending order, so a table that was left is never entered again: which
    // table each level is in now is all that has to be remembered; of pages, most of all.
    var current = InlineArray<5, UInt64>(repeating: .max)
    var currentPages = UInt64.max
    var nextMapping = 0
    var nextPart = 0
    while nextMapping < mappings.count || nextPart < parts.count {
      var virtual: UInt64
      var physical: UInt64 = 0
      var remaining: UInt64
      let kind: MemoryKind
      var part: Int?
      if nextPart < parts.count,
        nextMapping == mappings.count
          || parts[nextPart].virtualStart < mappings[nextMapping].virtualStart
      {
        virtual = parts[nextPart].virtualStart.rawValue
        remaining = parts[nextPart].size
        kind = parts[nextPart].kind
        if let start = parts[nextPart].physical {
          physical = start.rawValue
        } else {
          part = nextPart
        }
        nextPart += 1
      } else {
        let mapping = mappings[nextMapping]
        virtual = mapping.virtualStart.rawValue
        physical = mapping.physical.start.rawValue
        remaining = mapping.physical.size
        kind = mapping.kind
        nextMapping += 1
      }
      while remaining > 0 {
        var leafLevel = lastLevel
        var shift = pageShift
        // Where there is a table of pages already, no block can be.
        if virtual >> pagesShift != currentPages {
          if part == nil {
            leafLevel = level(
              virtual: VirtualAddress(virtual), physical: PhysicalAddress(physical),
              remaining: remaining)
          }
          shift = UInt64(granule.entryShift(atLevel: leafLevel))
          var level = startLevel
          while level < leafLevel {
            let number = virtual >> UInt64(granule.entryShift(atLevel: level))
            level += 1
            guard current[level + 1] != number else { continue }
            current[level + 1] = number
            table(level, VirtualAddress(virtual))
          }
          if leafLevel == lastLevel { currentPages = virtual >> pagesShift }
        }
        // Nothing larger begins before the table's end.
        let count = min(remaining >> shift, entries - (virtual >> shift & (entries - 1)))
        run(
          Run(
            level: leafLevel, count: Int(count), virtual: VirtualAddress(virtual),
            physical: PhysicalAddress(physical), kind: kind, part: part))
        let size = count << shift
        virtual &+= size
        physical &+= size
        remaining &-= size
      }
    }
  }

  /// The first level, hence the largest entry, that can map both addresses and does not reach
  /// beyond the `remaining` bytes.
  private func level(
    virtual: VirtualAddress, physical: PhysicalAddress, remaining: UInt64
  ) -> Int {
    let granule = geometry.granule
    for level in geometry.startLevel..<Granule.lastLevel where geometry.allowsLeaf(atLevel: level) {
      let size: UInt64 = 1 << UInt64(granule.entryShift(atLevel: level))
      if remaining >= size, virtual.isAligned(to: size), physical.isAligned(to: size) {
        return level
      }
    }
    return Granule.lastLevel
  }
}
