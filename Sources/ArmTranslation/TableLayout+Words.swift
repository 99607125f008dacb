import PhysicalMemory

extension TableLayout {
  /// The descriptors of all tables, one page of them after the other from `base` on, the root
  /// first.
  func words(at base: PhysicalAddress, regime: TranslationRegime) -> [UInt64] {
    let granule = geometry.granule
    let entries = granule.entriesPerTable
    var words = [UInt64](repeating: 0, count: tableCount * entries)
    var tables = 0
    // Which table, counted from `base`, each level from −1 on is in now.
    var current = InlineArray<5, Int>(repeating: 0)

    func position(_ virtual: VirtualAddress, level: Int) -> Int {
      let number = geometry.input(virtual) >> UInt64(granule.entryShift(atLevel: level))
      return current[level + 1] * entries + Int(number % UInt64(entries))
    }

    visit(
      table: { level, virtual in
        if level > geometry.startLevel {
          let address = base + UInt64(tables) * granule.pageSize
          words[position(virtual, level: level - 1)] =
            TableDescriptor(nextLevelTable: address, geometry: geometry).rawValue
        }
        current[level + 1] = tables
        tables += 1
      },
      leaf: { leaf in
        let attributes = LeafAttributes(leaf.kind, regime: regime, geometry: geometry)
        words[position(leaf.virtual, level: leaf.level)] =
          leaf.level == Granule.lastLevel
          ? PageDescriptor(
            outputAddress: leaf.physical, geometry: geometry, attributes: attributes
          ).rawValue
          : BlockDescriptor(
            outputAddress: leaf.physical, geometry: geometry, attributes: attributes
          ).rawValue
      })
    return words
  }
}
