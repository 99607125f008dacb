import ArmTranslation
import PhysicalMemory
import Testing

/// Tables written by hand, word by word.
struct HandMadeTables: TableMemory {
  var words: [UInt64: UInt64]

  func word(at address: PhysicalAddress) -> UInt64? { words[address.rawValue] }
}

/// The walker on its own: what it must see in tables that no builder makes.
struct TableWalkerTests {
  /// T0SZ 32, 4 KiB granule, IPS or PS 40 bits.
  private static func tcr(_ regime: TranslationRegime) -> UInt64 {
    regime == .el2 ? 0x8082_3520 : 0x2_80A0_3520
  }

  private func walker(
    _ regime: TranslationRegime = .el1, tcr: UInt64? = nil, ttbr0: UInt64 = 0x1000,
    over words: [UInt64: UInt64]
  ) throws -> TableWalker<HandMadeTables> {
    try TableWalker(
      regime: regime, tcr: tcr ?? Self.tcr(regime), mair: 0x04FF, ttbr0: ttbr0,
      memory: HandMadeTables(words: words))
  }

  /// Root at 0x1000 (level 1), tables at 0x2000 and 0x3000; the page at 0x40201000.
  private func path(
    _ page: UInt64, root: UInt64 = 0x2003, middle: UInt64 = 0x3003
  ) -> [UInt64: UInt64] {
    [0x1008: root, 0x2008: middle, 0x3008: page]
  }

  private let address = VirtualAddress(0x4020_1234)

  @Test func aPageIsFound() throws {
    let translation = try walker(over: path(0x0060_0001_2345_6703)).translate(address)
    #expect(translation.physicalAddress == PhysicalAddress(0x1_2345_6234))
    #expect(translation.level == 3)
    #expect(translation.entrySize == 0x1000)
    #expect(translation.kind == .data)
  }

  /// Which single bits of a good page descriptor change what the walker reports.
  private func bitsThatMatter(_ regime: TranslationRegime, _ page: UInt64) throws -> Set<Int> {
    let good = try walker(regime, over: path(page)).translate(address)
    var bits = Set<Int>()
    for bit in 0..<64 {
      let flipped = try? walker(regime, over: path(page ^ 1 << UInt64(bit))).translate(address)
      if flipped != good { bits.insert(bit) }
    }
    return bits
  }

  @Test func everyBitThatMattersIsSeenAndNoOther() throws {
    // Valid, type, AttrIndx, AP, SH, AF, the address; with two privilege levels PXN and UXN.
    let common = Set([0, 1, 2, 3, 4, 7, 8, 9, 10]).union(12...47)
    #expect(
      try bitsThatMatter(.el1, 0x0060_0000_4020_1783) == common.union([6, 53, 54]))
    #expect(
      try bitsThatMatter(.el2Host, 0x0060_0000_4020_1783) == common.union([6, 53, 54]))
    // EL2 alone: no EL0, XN only.
    #expect(try bitsThatMatter(.el2, 0x0040_0000_4020_17C3) == common.union([54]))
  }

  @Test func invalidDescriptorsFaultAtTheirLevel() throws {
    let cases: [([UInt64: UInt64], Int)] = [
      (path(0, root: 0), 1), (path(0, middle: 0x3002), 2), (path(0x702), 3),
      // At level 3, 0b01 is reserved.
      (path(0x0060_0000_4020_1701), 3),
    ]
    for (words, level) in cases {
      #expect(throws: TranslationFault.translation(address, level: level)) {
        try walker(over: words).translate(address)
      }
    }
  }

  @Test func blocksWhereTheGranuleAllowsNoneFault() throws {
    // 4 KiB, 48 bits: the root is at level 0.
    let level0 = try walker(tcr: 0x5_80A0_3510, over: [0x1000: 0x0060_0000_0000_0701])
    #expect(throws: TranslationFault.translation(address, level: 0)) {
      try level0.translate(address)
    }
    // 16 KiB, 40 bits: the root is at level 1.
    let level1 = try walker(
      tcr: 0x5_40A0_B518, ttbr0: 0x4000, over: [0x4000: 0x0060_0000_0000_0701])
    #expect(throws: TranslationFault.translation(address, level: 1)) {
      try level1.translate(address)
    }
  }

  @Test func addressesBeyondThePhysicalSizeFault() throws {
    let cases: [([UInt64: UInt64], Int)] = [
      (path(0x0060_0100_0000_0703), 3), (path(0, middle: 0x100_0000_3003), 2),
      (path(0, root: 0x100_0000_2003), 1),
    ]
    for (words, level) in cases {
      #expect(throws: TranslationFault.addressSize(address, level: level)) {
        try walker(over: words).translate(address)
      }
    }
  }

  @Test(
    arguments: zip([0, 1, 2, 3, 4, 5], [32, 36, 40, 42, 44, 48]) as Zip2Sequence<[UInt64], [UInt64]>
  )
  func everyPhysicalAddressSizeIsDecoded(field: UInt64, bits: UInt64) throws {
    let last: UInt64 = (1 << bits) - 0x1000
    for regime in TranslationRegime.allCases {
      let tcr = regime.tcr(Self.tcr(regime), mmfr0: field)
      let found = try walker(regime, tcr: tcr, over: path(last | 0x703)).translate(address)
      #expect(found.physicalAddress == PhysicalAddress(last + 0x234))
      guard bits < 48 else { continue }
      #expect(throws: TranslationFault.addressSize(address, level: 3)) {
        try walker(regime, tcr: tcr, over: path(1 << bits | 0x703)).translate(address)
      }
    }
  }

  @Test func aClearAccessFlagFaults() throws {
    #expect(throws: TranslationFault.accessFlag(address, level: 3)) {
      try walker(over: path(0x0060_0000_4020_1303)).translate(address)
    }
  }

  @Test func addressesAboveTheInputRangeFault() throws {
    for raw: UInt64 in [1 << 32, 1 << 48, .max] {
      #expect(throws: TranslationFault.translation(VirtualAddress(raw), level: 1)) {
        try walker(over: path(0x0060_0000_4020_1703)).translate(VirtualAddress(raw))
      }
    }
  }

  @Test func descriptorsThatCannotBeReadAreNamed() throws {
    #expect(throws: TranslationFault.unreadable(PhysicalAddress(0x2008), level: 2)) {
      try walker(over: [0x1008: 0x2003]).translate(address)
    }
  }

  @Test func tablesCanTakePermissionsAwayFromWhatLiesBelow() throws {
    let data: UInt64 = 0x0060_0000_4020_1703
    let code: UInt64 = 0x0040_0000_4020_1783
    // APTable[1] = 1: no writes below.
    #expect(
      try walker(over: path(data, middle: 0x4000_0000_0000_3003)).translate(address).kind
        == .readOnlyData)
    // PXNTable = 1: no privileged execution below.
    #expect(
      try walker(over: path(code, root: 0x0800_0000_0000_2003)).translate(address).kind
        == .readOnlyData)
    // APTable[0] = 1: no access from EL0 below, whatever AP[1] says.
    #expect(
      try walker(over: path(data | 0x40, middle: 0x2000_0000_0000_3003)).translate(address).kind
        == .data)
    // XNTable = 1, in EL2's own regime.
    #expect(
      try walker(.el2, over: path(0x4020_17C3, root: 0x1000_0000_0000_2003)).translate(address).kind
        == .readOnlyData)
  }

  @Test func memoryOpenToEL0IsNoKindOfOurs() throws {
    // AP[1] = 1; UXN = 0.
    #expect(try walker(over: path(0x0060_0000_4020_1743)).translate(address).kind == nil)
    #expect(try walker(over: path(0x0020_0000_4020_1703)).translate(address).kind == nil)
    // Writable by EL0: never executable above it, PXN or not.
    #expect(try !walker(over: path(0x0040_0000_4020_1743)).translate(address).isExecutable)
  }

  @Test func writableAndExecutableMemoryIsNoKindOfOurs() throws {
    let translation = try walker(over: path(0x0040_0000_4020_1703)).translate(address)
    #expect(translation.isWritable && translation.isExecutable && translation.kind == nil)
  }

  @Test(
    arguments: [
      0x2_80A0_F520,  // TG0 reserved
      0x6_80A0_3520,  // 52-bit physical addresses
      0x2_80A0_35A0,  // EPD0
      0x2_80A0_350F,  // T0SZ 15
      0x2_80A0_3528,  // T0SZ 40
      0x0800_0002_80A0_3520,  // DS
    ] as [UInt64])
  func controlValuesThatNoWalkCanStartFromAreRefused(tcr: UInt64) throws {
    #expect(throws: TranslationFault.control(tcr: tcr)) { try walker(tcr: tcr, over: [:]) }
  }

  @Test func aRootMustBeAlignedToItsTableAndInReach() throws {
    // 32 bits at level 1: four entries, so the least alignment, 64 bytes.
    #expect(throws: TranslationFault.root(ttbr0: 0x1020)) { try walker(ttbr0: 0x1020, over: [:]) }
    #expect(throws: TranslationFault.root(ttbr0: 0x100_0000_0000)) {
      try walker(ttbr0: 0x100_0000_0000, over: [:])
    }
    // ASID and CnP are no part of the address.
    _ = try walker(ttbr0: 0x1234_0000_0000_1041, over: [:])
  }

  @Test func anIdentityIsProvedByteForByte() throws {
    let machine = Machine(regime: .el1, granule: .size4K)
    func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
      PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
    }
    let walker = try machine.walker(
      machine.tables(of: [
        Mapping(range(0x4000_0000, 0x4030_2000), as: .data),
        Mapping(range(0x4030_2000, 0x4030_4000), as: .code),
        Mapping(range(0x4030_5000, 0x4030_6000), at: VirtualAddress(0x4030_4000), as: .code),
      ]))
    try walker.requireIdentity(of: range(0x4000_0010, 0x4030_1FFF), as: .data)
    try walker.requireIdentity(of: range(0x4030_2000, 0x4030_4000), as: .code)
    try walker.requireIdentity(of: range(0, 0), as: .device)
    for (bad, kind, first) in [
      (range(0x4000_0000, 0x4030_2001), MemoryKind.data, UInt64(0x4030_2000)),
      (range(0x4030_1FFF, 0x4030_3000), .code, 0x4030_1FFF),
      (range(0x4030_3FFF, 0x4030_4001), .code, 0x4030_4000),
    ] {
      let translation = try walker.translate(VirtualAddress(first))
      #expect(throws: TranslationFault.mismatch(VirtualAddress(first), translation)) {
        try walker.requireIdentity(of: bad, as: kind)
      }
    }
    #expect(throws: TranslationFault.translation(VirtualAddress(0x3FFF_FFFF), level: 1)) {
      try walker.requireIdentity(of: range(0x3FFF_FFFF, 0x4000_0001), as: .data)
    }
  }
}
