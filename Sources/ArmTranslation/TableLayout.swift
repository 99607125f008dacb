import PhysicalMemory

/// The shape of the tables that a list of mappings needs: which tables, in which order, and which
/// entries in them map memory. It knows no table's address, so the number of tables can be had
/// before there is a place for them.
struct TableLayout {
  /// An entry that maps memory: a block, or at level 3 a page.
  struct Leaf {
    let level: Int
    let virtual: VirtualAddress
    let physical: PhysicalAddress
    let kind: MemoryKind
  }

  let geometry: TranslationGeometry
  /// In ascending order of virtual addresses, disjoint, joined wherever they can be, multiples of
  /// the granule's page.
  let mappings: [Mapping]

  /// The number of tables, a page each.
  var tableCount: Int {
    var count = 0
    visit(table: { _, _ in count += 1 }, leaf: { _ in })
    return count
  }

  /// Calls `table` once for every table, with its level and a virtual address that it covers, and
  /// `leaf` for every entry that maps memory, in ascending order; a table comes before all that
  /// lies in it, the root first.
  func visit(table: (Int, VirtualAddress) -> Void, leaf: (Leaf) -> Void) {
    let granule = geometry.granule
    let startLevel = geometry.startLevel
    table(startLevel, mappings.first?.virtualStart ?? VirtualAddress(0))
    // Leaves come in ascending order, so a table that was left is never entered again: which
    // table each level is in now is all that has to be remembered.
    var current = InlineArray<5, UInt64>(repeating: .max)
    for mapping in mappings {
      var offset: UInt64 = 0
      while offset < mapping.physical.size {
        let virtual = VirtualAddress(mapping.virtualStart.rawValue + offset)
        let physical = mapping.physical.start + offset
        let leafLevel = level(
          virtual: virtual, physical: physical, remaining: mapping.physical.size - offset)
        var level = startLevel
        while level < leafLevel {
          let number = virtual.rawValue >> UInt64(granule.entryShift(atLevel: level))
          level += 1
          guard current[level + 1] != number else { continue }
          current[level + 1] = number
          table(level, virtual)
        }
        leaf(Leaf(level: leafLevel, virtual: virtual, physical: physical, kind: mapping.kind))
        offset += 1 << UInt64(granule.entryShift(atLevel: leafLevel))
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
