import ArmTranslation
import PhysicalMemory
import TestSupport
import Testing

/// Scattered pages that appear end to end.
struct WindowTests {
  /// Ranges of a few pages each, no two side by side, and where they appear: with mappings right
  /// before and behind, and across the ends of tables.
  private struct Scenario {
    var ranges: [PhysicalRange] = []
    var start: UInt64
    var size: UInt64 = 0
    var around: [Mapping] = []

    init(_ machine: Machine, using generator: inout SeededGenerator) {
      let page = machine.granule.pageSize
      let table = page * (page / 8)
      let count = Int.random(in: 1...(machine.granule == .size64K ? 4000 : 700), using: &generator)
      var physical = UInt64.random(in: 1...1 << 10, using: &generator) * page
      if machine.format == .bits52, Bool.random(using: &generator) {
        // The bits that stand elsewhere in a descriptor; some windows cross their boundary.
        physical += UInt64.random(in: 1...15, using: &generator) << 48
        if Bool.random(using: &generator) { physical -= 1 << 11 * page }
      }
      for _ in 0..<count {
        let pages = UInt64.random(in: 1...5, using: &generator)
        let end = PhysicalAddress(physical + pages * page)
        ranges.append(PhysicalRange(PhysicalAddress(physical), upTo: end))
        size += pages * page
        physical = end.rawValue + UInt64.random(in: 1...3, using: &generator) * page
      }
      ranges.shuffle(using: &generator)
      start =
        UInt64.random(in: 2...5, using: &generator) * table
        - UInt64.random(in: 0...8, using: &generator) * page
      if machine.range == .upper {
        start = start &- 1 << UInt64.random(in: 40...47, using: &generator)
      }
      let kind = MemoryKind.allCases.randomElement(using: &generator) ?? .data
      let before = PhysicalRange(PhysicalAddress(7 * page), upTo: PhysicalAddress(9 * page))
      around = [
        Mapping(before, at: VirtualAddress(start - before.size), as: kind),
        Mapping(
          PhysicalRange(PhysicalAddress(2 * table), upTo: PhysicalAddress(4 * table)),
          at: VirtualAddress(start + size), as: kind),
      ]
    }

    /// The same, range by range.
    var mappings: [Mapping] {
      var virtual = start
      return ranges.map { range in
        defer { virtual += range.size }
        return Mapping(range, at: VirtualAddress(virtual), as: .data)
      }
    }
  }

  private func seal(
    _ tables: TranslationTables<Building>, _ machine: Machine
  ) throws -> TranslationTables<Sealed> {
    let size = UInt64(tables.pageCount) * machine.granule.pageSize
    return try tables.seal(
      in: PhysicalRange(PhysicalAddress(0x7000_0000), upTo: PhysicalAddress(0x7000_0000 + size)))
  }

  @Test(arguments: Machine.all)
  func aWindowIsItsRangesMappedOneBehindTheOther(machine: Machine) throws {
    for seed in UInt64(0)..<12 {
      var generator = SeededGenerator(seed: seed)
      let scenario = Scenario(machine, using: &generator)
      var expected = machine.empty
      for mapping in scenario.mappings + scenario.around { try expected.map(mapping) }
      let window = Window(scenario.ranges, at: VirtualAddress(scenario.start), as: .data)
      var tables = machine.empty
      for (index, mapping) in scenario.around.enumerated() {
        if index == seed % 3 { try tables.map(window) }
        try tables.map(mapping)
      }
      if seed % 3 == 2 { try tables.map(window) }
      #expect(tables.pageCount == expected.pageCount, "seed \(seed)")
      let words = try seal(tables, machine).words
      #expect(try words == seal(expected, machine).words, "seed \(seed)")
    }
  }

  /// Pages that lie alone, and ranges of one to three blocks with some pages: in step with where they
  /// appear, a page out of step, or without a whole block in them.
  private func mixedRanges(
    _ machine: Machine, at start: UInt64, using generator: inout SeededGenerator
  ) -> [PhysicalRange] {
    let page = machine.granule.pageSize
    let block = page * (page / 8)
    var ranges: [PhysicalRange] = []
    var virtual = start
    for number in 1...UInt64.random(in: 3...12, using: &generator) {
      var size = UInt64.random(in: 1...3, using: &generator) * page
      var physical = number * 16 * block
      switch Int.random(in: 0..<5, using: &generator) {
      case 0, 1:
        size += UInt64.random(in: 1...3, using: &generator) * block
        physical += virtual & (block - 1)
      case 2:
        size += UInt64.random(in: 1...2, using: &generator) * block
        physical += (virtual + page) & (block - 1)
      case 3:
        // As large as a block, and over the border of two.
        size = block
        physical += virtual & (block - 1)
      default: physical += UInt64.random(in: 0..<64, using: &generator) * page
      }
      ranges.append(
        PhysicalRange(PhysicalAddress(physical), upTo: PhysicalAddress(physical + size)))
      virtual &+= size
    }
    return ranges
  }

  @Test(arguments: Machine.all)
  func rangesThatAreInStepTakeBlocksAsMappingsDo(machine: Machine) throws {
    let page = machine.granule.pageSize
    let block = page * (page / 8)
    var pagesSpared = 0
    for seed in UInt64(0)..<(machine.granule == .size4K ? 16 : 3) {
      var generator = SeededGenerator(seed: seed)
      var start = UInt64.random(in: 1...3, using: &generator) * block
      if Bool.random(using: &generator) {
        start += UInt64.random(in: 0..<page / 8, using: &generator) * page
      }
      if machine.range == .upper { start = start &- 1 << 42 }
      let ranges = mixedRanges(machine, at: start, using: &generator)
      var expected = machine.empty
      var virtual = start
      for range in ranges {
        try expected.map(Mapping(range, at: VirtualAddress(virtual), as: .data))
        virtual &+= range.size
      }
      var tables = machine.empty
      let window = Window(ranges, at: VirtualAddress(start), as: .data)
      try tables.map(window)
      #expect(tables.pageCount == expected.pageCount, "seed \(seed)")
      #expect(try seal(tables, machine).words == seal(expected, machine).words, "seed \(seed)")
      pagesSpared += max(0, Int((virtual &- start) / block) - tables.pageCount)
    }
    // There were blocks.
    #expect(pagesSpared > 0)
  }

  @Test func tablesOfBothRangesAreSealedAsEachIsAlone() throws {
    for seed in UInt64(0)..<8 {
      var generator = SeededGenerator(seed: seed)
      let lowerMachine = Machine(regime: .el1, granule: .size4K)
      var lower = lowerMachine.empty
      for mapping in Scenario(lowerMachine, using: &generator).mappings { try lower.map(mapping) }
      var upper = TranslationTables<Building>(regime: .el1, granule: .size4K, range: .upper)
      let start: UInt64 = 0 &- 1 << 40
      try upper.map(
        Window(
          mixedRanges(lowerMachine, at: start, using: &generator), at: VirtualAddress(start),
          as: .data))
      let memory = PhysicalRange(
        PhysicalAddress(0x7000_0000),
        upTo: PhysicalAddress(
          0x7000_0000 + UInt64(lower.pageCount + upper.pageCount) * 4096))
      let both = try lower.seal(before: upper, in: memory)
      let first = try lower.seal(in: memory)
      let second = try upper.seal(in: PhysicalRange(first.memory.end, upTo: memory.end))
      #expect(both.lower.words == first.words && both.upper.words == second.words)
      #expect(both.words == first.words + second.words)
      #expect(both.lower.root == first.root && both.upper.root == second.root)
      #expect(both.upper.memory == second.memory)
      let places = [memory.start, second.memory.start, memory.end]
      for place in places {
        #expect(both.lower.word(at: place) == first.word(at: place))
        #expect(both.upper.word(at: place) == second.word(at: place))
      }
      #expect(throws: TableMemoryError.self) {
        _ = try lower.seal(
          before: upper,
          in: PhysicalRange(memory.start, upTo: PhysicalAddress(memory.end.rawValue - 4096)))
      }
    }
  }

  @Test func twoWindowsGoOnIndependently() throws {
    let machine = Machine(regime: .el2, granule: .size4K)
    var generator = SeededGenerator(seed: 1)
    let first = Scenario(machine, using: &generator)
    let second = Scenario(machine, using: &generator)
    let between = first.start + first.size
    var expected = machine.empty
    for mapping in first.mappings { try expected.map(mapping) }
    var virtual = between
    for range in second.ranges {
      try expected.map(Mapping(range, at: VirtualAddress(virtual), as: .readOnlyData))
      virtual += range.size
    }
    var tables = machine.empty
    try tables.map(Window(second.ranges, at: VirtualAddress(between), as: .readOnlyData))
    try tables.map(Window(first.ranges, at: VirtualAddress(first.start), as: .data))
    #expect(try seal(tables, machine).words == seal(expected, machine).words)
  }

  @Test func aWindowOfNothingMapsNothing() throws {
    var tables = Machine(regime: .el1, granule: .size4K).empty
    try tables.map(Window([], at: VirtualAddress(0x4000), as: .data))
    #expect(tables.pageCount == 1)
    try tables.map(
      Mapping(
        PhysicalRange(PhysicalAddress(0x4000), upTo: PhysicalAddress(0x5000)), as: .data))
  }

  private func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
    PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
  }

  @Test func aRangeThatCannotBeMappedIsNamed() throws {
    let good = range(0x4000, 0x5000)
    let top: UInt64 = 1 << 48
    func refused(_ ranges: [PhysicalRange], at start: UInt64, _ error: MappingError) {
      var tables = Machine(regime: .el1, granule: .size4K).empty
      #expect(throws: error) {
        try tables.map(Window(ranges, at: VirtualAddress(start), as: .data))
      }
    }
    func part(_ range: PhysicalRange, _ start: UInt64) -> Mapping {
      Mapping(range, at: VirtualAddress(start), as: .data)
    }
    for bad in [range(0x800, 0x1800), range(0x1000, 0x1800)] {
      refused([good, bad], at: 0x10000, .unaligned(part(bad, 0x11000), pageSize: 4096))
    }
    refused([good], at: 0x10008, .unaligned(part(range(0, 0x1000), 0x10008), pageSize: 4096))
    let high = range(top, top + 0x1000)
    refused([good, high], at: 0, .beyondPhysicalAddressSize(part(high, 0x1000), bits: 48))
    // Right up to the end of the addresses there is memory like any other.
    var tables = Machine(regime: .el1, granule: .size4K).empty
    let last = range(top - 0x1000, top)
    try tables.map(Window([last, good], at: VirtualAddress(0x10000), as: .data))
    for start in [top - 0x1000, UInt64.max - 0xFFF] {
      refused(
        [good, good], at: start,
        .beyondVirtualAddressSize(part(range(0, 0x2000), start), bits: 48))
    }
  }

  @Test func noWindowSharesAPageWithAnythingElse() throws {
    let window = Window(
      [range(0x4000, 0x5000), range(0x8000, 0xA000)], at: VirtualAddress(0x10000), as: .data)
    let second = Mapping(range(0x8000, 0xA000), at: VirtualAddress(0x11000), as: .data)
    let mapping = Mapping(range(0x1000, 0x2000), at: VirtualAddress(0x12000), as: .code)
    let other = Window([range(0x1000, 0x2000)], at: VirtualAddress(0x12000), as: .code)
    var tables = Machine(regime: .el1, granule: .size4K).empty
    try tables.map(window)
    #expect(throws: MappingError.overlap(mapping, with: second)) { try tables.map(mapping) }
    #expect(throws: MappingError.overlap(mapping, with: second)) { try tables.map(other) }
    tables = Machine(regime: .el1, granule: .size4K).empty
    try tables.map(mapping)
    #expect(throws: MappingError.overlap(second, with: mapping)) { try tables.map(window) }
    // On either side there is room.
    tables = Machine(regime: .el1, granule: .size4K).empty
    try tables.map(window)
    try tables.map(Mapping(range(0x1000, 0x2000), at: VirtualAddress(0xF000), as: .code))
    try tables.map(Window([range(0x1000, 0x2000)], at: VirtualAddress(0x13000), as: .code))
  }
}
