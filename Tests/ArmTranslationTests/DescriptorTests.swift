import ArmTranslation
import PhysicalMemory
import Testing

/// Descriptors and control values bit for bit, worked out by hand from the Arm ARM's formats.
struct DescriptorTests {
  /// The words of tables that map `pages` pages from `start` on as `kind`.
  private func words(
    _ regime: TranslationRegime, _ granule: Granule = .size4K, at start: UInt64,
    size: UInt64, as kind: MemoryKind
  ) throws -> [UInt64] {
    let range = try #require(PhysicalRange(start: PhysicalAddress(start), size: size))
    return try Machine(regime: regime, granule: granule).tables(
      of: [Mapping(range, as: kind)], at: 0x7000_0000
    ).words
  }

  // Lower attributes: AttrIndx [4:2], AP[2:1] [7:6], SH [9:8], AF [10]. Upper: PXN [53], UXN [54].
  @Test(
    arguments: [
      (.el1, .code, 0x0040_0000_4020_3783),
      (.el1, .readOnlyData, 0x0060_0000_4020_3783),
      (.el1, .data, 0x0060_0000_4020_3703),
      (.el1, .device, 0x0060_0000_4020_3607),
      (.el2, .code, 0x0000_0000_4020_37C3),
      (.el2, .readOnlyData, 0x0040_0000_4020_37C3),
      (.el2, .data, 0x0040_0000_4020_3743),
      (.el2, .device, 0x0040_0000_4020_3647),
      (.el2Host, .code, 0x0040_0000_4020_3783),
      (.el2Host, .readOnlyData, 0x0060_0000_4020_3783),
      (.el2Host, .data, 0x0060_0000_4020_3703),
      (.el2Host, .device, 0x0060_0000_4020_3607),
    ] as [(TranslationRegime, MemoryKind, UInt64)])
  func aPage(regime: TranslationRegime, kind: MemoryKind, descriptor: UInt64) throws {
    let words = try words(regime, at: 0x4020_3000, size: 0x1000, as: kind)
    #expect(words.count == 3 * 512)
    // The root is at level 1: entry 1 covers the second GiB.
    #expect(words[1] == 0x7000_1003)
    #expect(words[512 + 1] == 0x7000_2003)
    #expect(words[1024 + 3] == descriptor)
    #expect(words.count { $0 != 0 } == 3)
  }

  @Test func aBlockOfTwoMebibytes() throws {
    let words = try words(.el1, at: 0x4020_0000, size: 0x20_0000, as: .code)
    #expect(words.count == 2 * 512)
    #expect(words[1] == 0x7000_1003)
    #expect(words[512 + 1] == 0x0040_0000_4020_0781)
  }

  @Test func aBlockOfOneGibibyte() throws {
    let words = try words(.el2, at: 0x4000_0000, size: 0x4000_0000, as: .data)
    #expect(words.count == 512)
    #expect(words[1] == 0x0040_0000_4000_0741)
  }

  @Test func aBlockOfThirtyTwoMebibytesWithSixteenKibibytePages() throws {
    let words = try words(.el1, .size16K, at: 0x4200_0000, size: 0x200_0000, as: .data)
    // 31 bits: the root is at level 2, 0x42000000 / 32 MiB = 33.
    #expect(words.count == 2048)
    #expect(words[33] == 0x0060_0000_4200_0701)
  }

  @Test func aBlockOfHalfAGibibyteWithSixtyFourKibibytePages() throws {
    let words = try words(.el1, .size64K, at: 0x6000_0000, size: 0x2000_0000, as: .data)
    #expect(words.count == 8192)
    #expect(words[3] == 0x0060_0000_6000_0701)
  }

  @Test(
    arguments: [
      // Highest address, T0SZ, level of the root.
      (0x1000, 39, 2),
      (0x200_0000, 39, 2),
      (0x200_1000, 38, 2),
      (0x4000_0000, 34, 2),
      (0x4000_1000, 33, 1),
      (0xC000_0000, 32, 1),
      (0x80_0000_0000, 25, 1),
      (0x80_0000_1000, 24, 0),
      (0x1_0000_0000_0000, 16, 0),
    ] as [(UInt64, UInt64, Int)])
  func t0szAndLevelFollowTheHighestAddress(end: UInt64, t0sz: UInt64, level: Int) throws {
    let machine = Machine(regime: .el1, granule: .size4K)
    let page = PhysicalRange(PhysicalAddress(end - 0x1000), upTo: PhysicalAddress(end))
    let tables = try machine.tables(of: [Mapping(page, as: .data)])
    #expect(tables.control.t0sz == t0sz)
    #expect(tables.words.count == (4 - level) * 512)
  }

  @Test(
    arguments: [
      // T0SZ 32; IRGN0, ORGN0 0b01; SH0 0b11; TG0; and T1SZ 32, EPD1, TG1, or RES1 bits 31 and 23.
      (.el1, .size4K, 0x80A0_3520, 0x5_80A0_3520),
      (.el1, .size16K, 0x40A0_B520, 0x5_40A0_B520),
      (.el1, .size64K, 0xC0A0_7520, 0x5_C0A0_7520),
      (.el2Host, .size4K, 0x80A0_3520, 0x5_80A0_3520),
      (.el2, .size4K, 0x8080_3520, 0x8085_3520),
      (.el2, .size16K, 0x8080_B520, 0x8085_B520),
      (.el2, .size64K, 0x8080_7520, 0x8085_7520),
    ] as [(TranslationRegime, Granule, UInt64, UInt64)])
  func theControlRegister(
    regime: TranslationRegime, granule: Granule, tcr: UInt64, filledIn: UInt64
  ) throws {
    let ram = PhysicalRange(PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0xC000_0000))
    let control = try Machine(regime: regime, granule: granule).tables(
      of: [Mapping(ram, as: .data)]
    ).control
    #expect(control.tcr == tcr)
    #expect(control.mair == 0x04FF)
    // PARange 48 bits; 52 and 56 bits (cut down to what the format has), with other fields of the
    // register around it.
    #expect(regime.tcr(tcr, mmfr0: 0x1122_3345) == filledIn)
    let bit: UInt64 = regime == .el2 ? 1 << 16 : 1 << 32
    let most = granule == .size64K ? filledIn + bit : filledIn
    #expect(regime.tcr(tcr, mmfr0: 0x1122_3346) == most)
    #expect(regime.tcr(tcr, mmfr0: 0x1122_3347) == most)
    #expect(regime.tcr(filledIn, mmfr0: 0) == tcr)
  }

  @Test(
    arguments: [
      // Both ranges: T0SZ 32, T1SZ 31, the same attributes for both; DS but with 64 KiB pages.
      (.el1, .size4K, .bits48, 0xB51F_3520), (.el1, .size16K, .bits48, 0x751F_B520),
      (.el2Host, .size64K, .bits48, 0xF51F_7520),
      (.el1, .size4K, .bits52, 0x0800_0000_B51F_3520),
      (.el2Host, .size16K, .bits52, 0x0800_0000_751F_B520),
      (.el1, .size64K, .bits52, 0xF51F_7520),
    ] as [(TranslationRegime, Granule, AddressFormat, UInt64)])
  func theControlRegisterOfTwoRanges(
    regime: TranslationRegime, granule: Granule, format: AddressFormat, tcr: UInt64
  ) throws {
    let ram = PhysicalRange(PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0xC000_0000))
    let lower = try Machine(regime: regime, granule: granule, format: format)
      .tables(of: [Mapping(ram, as: .data)])
    let upper = try Machine(regime: regime, granule: granule, format: format, range: .upper)
      .tables(of: [Mapping(ram, at: VirtualAddress(0xFFFF_FFFF_8000_0000 - 1 << 32), as: .data)])
    let control = lower.control(with: upper)
    #expect(upper.control.t1sz == 31)
    #expect(control.tcr == tcr)
    // The upper alone: EPD0 instead of EPD1.
    #expect(upper.control.tcr & 1 << 7 != 0 && upper.control.tcr & 1 << 23 == 0)
  }

  @Test func theLargeFormatsBitInEL2sOwnRegister() throws {
    let ram = PhysicalRange(PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0xC000_0000))
    let control = try Machine(regime: .el2, granule: .size4K, format: .bits52).tables(
      of: [Mapping(ram, as: .data)]
    ).control
    #expect(control.tcr == 0x1_8080_3520)
    #expect(TranslationRegime.el2.tcr(control.tcr, mmfr0: 0b0110) == 0x1_8086_3520)
  }
}
