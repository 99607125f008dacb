import ArmTranslation
import PhysicalMemory
import TestSupport
import Testing

/// A machine: what it translates with, and a seed for its random maps.
struct Machine: Sendable, CustomTestStringConvertible {
  let regime: TranslationRegime
  let granule: Granule
  var format = AddressFormat.bits48
  var range = AddressRange.lower

  static let all = TranslationRegime.allCases.flatMap { regime in
    Granule.allCases.flatMap { granule in
      AddressFormat.allCases.flatMap { format in
        AddressRange.allCases.compactMap { range in
          range == .upper && !regime.hasUpperRange
            ? nil : Machine(regime: regime, granule: granule, format: format, range: range)
        }
      }
    }
  }

  var testDescription: String { "\(regime), \(granule), \(format), \(range)" }

  /// ID_AA64MMFR0_EL1 of a machine with as many bits of physical address.
  var mmfr0: UInt64 { format == .bits48 ? 0b0101 : 0b0110 }

  var empty: TranslationTables<Building> {
    TranslationTables(regime: regime, granule: granule, format: format, range: range)
  }

  func tables(
    of mappings: [Mapping], at base: UInt64 = 0x7000_0000
  ) throws -> TranslationTables<Sealed> {
    var tables = empty
    for mapping in mappings { try tables.map(mapping) }
    let size = UInt64(tables.pageCount) * granule.pageSize
    let memory = try #require(PhysicalRange(start: PhysicalAddress(base), size: size))
    return try tables.seal(in: memory)
  }

  /// A walker over `tables`, with the register values that go with them.
  func walker(
    _ tables: TranslationTables<Sealed>
  ) throws -> TableWalker<TranslationTables<Sealed>> {
    let tcr = regime.tcr(tables.control.tcr, mmfr0: mmfr0)
    let root = tables.root.baseAddressField
    return switch range {
    case .lower:
      try TableWalker(
        regime: regime, tcr: tcr, mair: tables.control.mair, ttbr0: root, memory: tables)
    case .upper:
      try TableWalker(
        regime: regime, tcr: tcr, mair: tables.control.mair, ttbr1: root, memory: tables)
    }
  }
}

/// What a walk found: an address and a kind, or nothing.
func walk(
  _ walker: TableWalker<TranslationTables<Sealed>>, _ virtual: UInt64
) throws -> Translation? {
  do {
    return try walker.translate(VirtualAddress(virtual))
  } catch {
    // A hole is a translation fault; any other fault is a defect of the tables.
    guard case .translation = error else { throw error }
    return nil
  }
}

struct TranslationTablesTests {
  @Test(arguments: Machine.all)
  func everyMappingIsTranslatedAndEveryHoleFaults(machine: Machine) throws {
    for seed in UInt64(0)..<12 {
      var generator = SeededGenerator(seed: seed)
      let map = RandomMap(machine, using: &generator)
      let walker = try machine.walker(machine.tables(of: map.mappings))
      var probes: [UInt64] = [0, (1 << 48) - 1, 1 << 48, 1 << 52, 1 << 63, .max - 1 << 52, .max]
      for mapping in map.mappings {
        let start = mapping.virtualStart.rawValue
        let end = map.end(of: mapping)
        probes += [start, start &- 1, end - 1, end]
        for _ in 0..<16 { probes.append(UInt64.random(in: start..<end, using: &generator)) }
        // Around it, for holes.
        let page = machine.granule.pageSize
        for _ in 0..<8 { probes.append(end + UInt64.random(in: 0..<page * 8, using: &generator)) }
        for _ in 0..<4 { probes.append(UInt64.random(in: 0..<1 << 42, using: &generator)) }
      }
      for virtual in probes {
        let found = try walk(walker, virtual)
        let expected = map.expected(virtual)
        #expect(
          found?.physicalAddress == expected?.physical && found?.kind == expected?.kind,
          "seed \(seed), address \(virtual), found \(String(describing: found))")
      }
    }
  }

  @Test(arguments: Machine.all)
  func everyPageOfASmallMapIsRight(machine: Machine) throws {
    let page = machine.granule.pageSize
    for seed in UInt64(0)..<2 {
      var generator = SeededGenerator(seed: seed)
      var base = UInt64.random(in: 0..<1 << 20, using: &generator) * page
      if machine.range == .upper { base = base &- 1 << 40 }
      let pagesOfMemory: UInt64 = 1 << UInt64(machine.format.bits - machine.granule.shift)
      var pages: [UInt64: (PhysicalAddress, MemoryKind)] = [:]
      var tables = machine.empty
      for number in (0..<600 as Range<UInt64>).shuffled(using: &generator).prefix(400) {
        let kind = MemoryKind.allCases.randomElement(using: &generator) ?? .data
        let physical = PhysicalAddress(
          UInt64.random(in: 0..<pagesOfMemory, using: &generator) * page)
        let virtual = base + number * page
        pages[virtual] = (physical, kind)
        let range = try #require(PhysicalRange(start: physical, size: page))
        try tables.map(Mapping(range, at: VirtualAddress(virtual), as: kind))
      }
      let memory = try #require(
        PhysicalRange(
          start: PhysicalAddress(0x8000_0000), size: UInt64(tables.pageCount) * page))
      let walker = try machine.walker(tables.seal(in: memory))
      for number in UInt64(0)..<700 {
        let virtual = base + number * page
        let found = try walk(walker, virtual)
        #expect(found?.physicalAddress == pages[virtual]?.0, "seed \(seed), page \(number)")
        #expect(found?.kind == pages[virtual]?.1, "seed \(seed), page \(number)")
      }
    }
  }

  @Test(arguments: Machine.all)
  func blocksAreAsLargeAsTheyCanBeAndTheCountIsExact(machine: Machine) throws {
    for seed in UInt64(0)..<12 {
      var generator = SeededGenerator(seed: seed)
      let map = RandomMap(machine, using: &generator)
      var tables = machine.empty
      for mapping in map.mappings { try tables.map(mapping) }
      let pages = tables.pageCount
      #expect(pages == map.fewestTables, "seed \(seed)")
      let exact = UInt64(pages) * machine.granule.pageSize
      for base: UInt64 in [0, 0x4000_0000, 1 << UInt64(machine.format.bits - 1)] {
        let memory = try #require(PhysicalRange(start: PhysicalAddress(base), size: exact))
        let sealed = try tables.seal(in: memory)
        #expect(sealed.memory == memory, "seed \(seed)")
        #expect(UInt64(sealed.words.count * 8) == exact, "seed \(seed)")
      }
      let short = try #require(
        PhysicalRange(start: PhysicalAddress(0), size: exact - machine.granule.pageSize))
      #expect(
        throws: TableMemoryError.tooSmall(short, pagesNeeded: pages), "seed \(seed)"
      ) { try tables.seal(in: short) }
    }
  }

  @Test(arguments: Machine.all)
  func tablesDependOnWhatIsMappedNotOnHowItWasDeclared(machine: Machine) throws {
    for seed in UInt64(0)..<12 {
      var generator = SeededGenerator(seed: seed)
      let map = RandomMap(machine, using: &generator)
      let words = try machine.tables(of: map.mappings).words
      let again = try machine.tables(of: map.redeclared(using: &generator)).words
      #expect(words == again, "seed \(seed)")
    }
  }

  @Test func tablesMoveWithTheirMemoryAndNothingElseChanges() throws {
    let machine = Machine(regime: .el1, granule: .size4K)
    for seed in UInt64(0)..<20 {
      var generator = SeededGenerator(seed: seed)
      let map = RandomMap(machine, using: &generator)
      let low = try machine.tables(of: map.mappings, at: 0x1000_0000)
      let high = try machine.tables(of: map.mappings, at: 0x5000_0000)
      for (a, b) in zip(low.words, high.words) where a != b {
        #expect(a & 0b11 == 0b11 && b - a == 0x4000_0000, "seed \(seed)")
      }
    }
  }

  @Test func bytesAreTheWordsInLittleEndianOrder() throws {
    let machine = Machine(regime: .el2, granule: .size4K)
    let uart = PhysicalRange(PhysicalAddress(0x900_0000), upTo: PhysicalAddress(0x900_1000))
    let tables = try machine.tables(of: [Mapping(uart, as: .device)])
    let bytes = tables.bytes
    #expect(bytes.count == tables.words.count * 8)
    for (index, word) in tables.words.enumerated() {
      let value = bytes[index * 8..<index * 8 + 8].reversed().reduce(UInt64(0)) {
        $0 << 8 | UInt64($1)
      }
      #expect(value == word)
    }
  }

  @Test func tablesThatMapNothingAreARootWithoutEntries() throws {
    let machine = Machine(regime: .el1, granule: .size4K)
    let tables = try machine.tables(of: [])
    #expect(tables.words == [UInt64](repeating: 0, count: 512))
    #expect(throws: TranslationFault.translation(VirtualAddress(0), level: 2)) {
      try machine.walker(tables).translate(VirtualAddress(0))
    }
  }

  /// QEMU's `virt` with 2 GiB: the stage's sections in pages of their own, the rest of RAM as
  /// data, the console.
  @Test(arguments: TranslationRegime.allCases)
  func aVirtMachineTakesFivePages(regime: TranslationRegime) throws {
    let ram = PhysicalRange(
      PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0xC000_0000))
    let code = PhysicalRange(
      PhysicalAddress(0xBF60_0000), upTo: PhysicalAddress(0xBF60_5000))
    let constants = PhysicalRange(
      PhysicalAddress(0xBF60_5000), upTo: PhysicalAddress(0xBF60_7000))
    let touched = PhysicalRangeSet([
      PhysicalRange(PhysicalAddress(0x4020_0000), upTo: PhysicalAddress(0x41F4_8000)),
      PhysicalRange(PhysicalAddress(0xBF60_0000), upTo: PhysicalAddress(0xBF60_B000)),
    ])
    var data = try PhysicalRangeSet([ram]).blockCover(of: touched, granule: .size4K)
    #expect(data.ranges == [ram])
    data.subtract(code)
    data.subtract(constants)
    var tables = TranslationTables(regime: regime, granule: .size4K)
    try tables.map(data, as: .data)
    try tables.map(Mapping(code, as: .code))
    try tables.map(Mapping(constants, as: .readOnlyData))
    try tables.map(
      Mapping(
        PhysicalRange(PhysicalAddress(0x900_0000), upTo: PhysicalAddress(0x900_1000)),
        as: .device))
    #expect(tables.pageCount == 5)
  }
}
