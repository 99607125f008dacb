import PhysicalMemory

extension TableLayout {
  /// The descriptors of all tables, one page of them after the other from `base` on, the root
  /// first.
  func words(at base: PhysicalAddress, regime: TranslationRegime) -> [UInt64] {
    let granule = geometry.granule
    let entries = granule.entriesPerTable
    var words: [UInt64] = []
    // Where the table that each level from −1 on is in now begins.
    var current = InlineArray<5, Int>(repeating: 0)
    // Most mappings are of one kind.
    var kind = MemoryKind.data
    var attributes = LeafAttributes(kind, regime: regime, geometry: geometry)

    func position(_ virtual: VirtualAddress, level: Int) -> Int {
      let number = geometry.input(virtual) >> UInt64(granule.entryShift(atLevel: level))
      return current[level + 1] + Int(number & UInt64(entries - 1))
    }

    visit(
      table: { level, virtual in
        if level > geometry.startLevel {
          words[position(virtual, level: level - 1)] =
            TableDescriptor(
              nextLevelTable: base + UInt64(words.count * 8), geometry: geometry
            ).rawValue
        }
        current[level + 1] = words.count
        words.append(contentsOf: repeatElement(0, count: entries))
      },
      run: { run in
        if run.kind != kind {
          kind = run.kind
          attributes = LeafAttributes(kind, regime: regime, geometry: geometry)
        }
        let start = position(run.virtual, level: run.level)
        let size: UInt64 = 1 << UInt64(granule.entryShift(atLevel: run.level))
        var physical = run.physical
        for index in start..<start + run.count {
          words[index] =
            run.level == Granule.lastLevel
            ? PageDescriptor(
              outputAddress: physical, geometry: geometry, attributes: attributes
            ).rawValue
            : BlockDescriptor(
              outputAddress: physical, geometry: geometry, attributes: attributes
            ).rawValue
          physical = PhysicalAddress(physical.rawValue &+ size)
        }
      })
    return words
  }
}
