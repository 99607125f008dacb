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
      0x7_80A0_3520,  // 56-bit physical addresses
      0x0800_0007_80A0_3520,  // with DS, too
      0x0800_0006_80A0_350B,  // DS, T0SZ 11
      0x6_C0A0_750B,  // 64 KiB pages, T0SZ 11
      0x0800_0006_C0A0_7520,  // 64 KiB pages have no DS
    ] as [UInt64])
  func controlValuesThatNoWalkCanStartFromAreRefused(tcr: UInt64) throws {
    #expect(throws: TranslationFault.control(tcr: tcr)) { try walker(tcr: tcr, over: [:]) }
  }

  @Test func theUpperRangeHasFieldsOfItsOwn() throws {
    // T1SZ 32, TG1 4 KiB, EPD0; T0SZ and TG0 are nonsense.
    let tcr: UInt64 = 0x2_B520_C0BF
    let words = path(0x0060_0001_2345_6703)
    func upper(_ tcr: UInt64, _ regime: TranslationRegime = .el1) throws -> TableWalker<
      HandMadeTables
    > {
      try TableWalker(
        regime: regime, tcr: tcr, mair: 0x04FF, ttbr1: 0x1000, memory: HandMadeTables(words: words))
    }
    let walker = try upper(tcr)
    let address = VirtualAddress(0xFFFF_FFFF_4020_1234)
    #expect(try walker.translate(address).physicalAddress == PhysicalAddress(0x1_2345_6234))
    for outside: UInt64 in [0x4020_1234, 0xFFFF_FFFE_4020_1234, 0x7FFF_FFFF_4020_1234] {
      #expect(throws: TranslationFault.translation(VirtualAddress(outside), level: 1)) {
        try walker.translate(VirtualAddress(outside))
      }
    }
    for bad in [tcr | 1 << 23, tcr & ~(0b11 << 30), tcr & ~(0b11_1111 << 16)] {
      #expect(throws: TranslationFault.control(tcr: bad)) { try upper(bad) }
    }
    #expect(throws: TranslationFault.control(tcr: tcr)) { try upper(tcr, .el2) }
  }

  @Test func addressesOfFiftyTwoBitsAreInTheirPlaces() throws {
    // DS, T0SZ 12, 4 KiB: five levels. The root is at bit 51, and [51:48] of it in TTBR0's [5:2].
    let root: UInt64 = 0x8_0000_0000_1000
    let words: [UInt64: UInt64] = [
      root + 8 * 15: 0x0000_0000_0000_2303,  // table at 0xC_0000_0000_2000: [51:50] in [9:8]
      0xC_0000_0000_2008: 0x0001_0000_0000_3003, 0x1_0000_0000_3008: 0x4003,
      0x4008: 0x5003, 0x5008: 0x0062_FFFF_FFFF_F703,
    ]
    let walker = try walker(
      tcr: 0x0800_0006_80A0_350C, ttbr0: 0x1020, over: words)
    let virtual = VirtualAddress(0xF_0080_4020_1234)
    let found = try walker.translate(virtual)
    // [51:50] = 0b11, [49:48] = 0b10; shareability is TCR's.
    #expect(found.physicalAddress == PhysicalAddress(0xE_FFFF_FFFF_F234))
    #expect(found.shareability == 0b11 && found.kind == .data)
    #expect(throws: TranslationFault.translation(VirtualAddress(1 << 52), level: -1)) {
      try walker.translate(VirtualAddress(1 << 52))
    }

    // 64 KiB: [51:48] in [15:12], no DS.
    let large = try self.walker(
      tcr: 0x6_C0A0_7520, ttbr0: 0x1_0000 | 0xF << 2,
      over: [0xF_0000_0001_0008: 0x0001_A003, 0xA_0000_0001_0010: 0x0060_0000_0002_5703])
    #expect(
      try large.translate(VirtualAddress(0x2002_1234)).physicalAddress
        == PhysicalAddress(0x5_0000_0002_1234))
  }

  @Test func blocksOfTheLargeFormatAreItsOwn() throws {
    // With DS, 512 GiB at level 0 of 4 KiB pages and 64 GiB at level 1 of 16 KiB pages; with 64 KiB
    // pages and 52 bits, 4 TiB at level 1.
    for (tcr, large, level) in [
      (0x5_80A0_3510, 0x0800_0005_80A0_3510, 0), (0x5_40A0_B518, 0x0800_0005_40A0_B518, 1),
      (0x5_C0A0_7511, 0x6_C0A0_7511, 1),
    ] as [(UInt64, UInt64, Int)] {
      let words: [UInt64: UInt64] = [0x1_0000: 0x0060_0000_0000_0401]
      #expect(throws: TranslationFault.translation(address, level: level)) {
        try walker(tcr: tcr, ttbr0: 0x1_0000, over: words).translate(address)
      }
      let found = try walker(tcr: large, ttbr0: 0x1_0000, over: words).translate(address)
      #expect(found.level == level && found.physicalAddress.rawValue == address.rawValue)
    }
  }

  @Test func aRootMustBeAlignedToItsTableAndInReach() throws {
    // 32 bits at level 1: four entries, so the least alignment, 64 bytes.
    #expect(throws: TranslationFault.root(ttbr: 0x1020)) { try walker(ttbr0: 0x1020, over: [:]) }
    #expect(throws: TranslationFault.root(ttbr: 0x100_0000_0000)) {
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
