import ArmTranslation
import CBareMetal

/// What is true of this CPU and of the level that it runs at.
public enum Processor {
  /// The regime that code at the current level is translated by.
  public static var regime: TranslationRegime {
    guard baton_read_current_el() >> 2 == 2 else { return .el1 }
    return HCR_EL2.e2h.isSet(in: baton_read_hcr_el2()) ? .el2Host : .el2
  }

  /// The root of the upper range's tables (TTBR1), 0 in a regime without one.
  public static var upperRoot: UInt64 {
    switch regime {
    case .el1: baton_read_ttbr1_el1()
    case .el2: 0
    case .el2Host: baton_read_ttbr1_el2()
    }
  }

  /// The architectural counter, as the next kernel's clock sees it (CNTVCT_EL0).
  public static var counter: UInt64 { baton_read_cntvct_el0() }

  /// What the counter counts in a second (CNTFRQ_EL0).
  public static var counterFrequency: UInt64 { baton_read_cntfrq_el0() }

  /// Whether this CPU translates with pages of `1 << shift` bytes.
  public static func hasGranule(shift: UInt32) -> Bool {
    let features = baton_read_id_aa64mmfr0_el1()
    switch shift {
    case 12: return ID_AA64MMFR0_EL1.tGran4.value(in: features) != 0b1111
    case 14: return ID_AA64MMFR0_EL1.tGran16.value(in: features) != 0b0000
    case 16: return ID_AA64MMFR0_EL1.tGran64.value(in: features) != 0b1111
    default: return false
    }
  }

  /// Whether this CPU, which has the granule of `tcr`, knows its format: more than 48 bits need
  /// FEAT_LPA2 with 4 and 16 KiB pages, and with 64 KiB pages FEAT_LVA for virtual addresses.
  public static func hasFormat(of tcr: UInt64, at regime: TranslationRegime) -> Bool {
    let granule = tcr >> 14 & 0b11  // TG0
    if granule == 0b01 {
      let range = ID_AA64MMFR2_EL1.vaRange.value(in: baton_read_id_aa64mmfr2_el1())
      return tcr & 0b11_1111 >= 16 || range != 0
    }
    guard tcr >> (regime == .el2 ? 32 : 59) & 1 != 0 else { return true }  // DS
    let features = baton_read_id_aa64mmfr0_el1()
    return granule == 0
      ? ID_AA64MMFR0_EL1.tGran4.value(in: features) == 0b0001
      : ID_AA64MMFR0_EL1.tGran16.value(in: features) == 0b0010
  }

  /// Whether EL2 has the EL2&0 regime (FEAT_VHE).
  public static var hasVirtualizationHostExtensions: Bool {
    ID_AA64MMFR1_EL1.vh.value(in: baton_read_id_aa64mmfr1_el1()) != 0
  }

  /// Whether this CPU has the SHA-256 instructions.
  public static var hasSHA256: Bool {
    ID_AA64ISAR0_EL1.sha2.value(in: baton_read_id_aa64isar0_el1()) != 0
  }

  /// Whether this CPU has instructions that copy memory (FEAT_MOPS). At EL1 the boot protocol has
  /// whoever started the kernel there allow them.
  public static var hasMemoryCopy: Bool {
    ID_AA64ISAR2_EL1.mops.value(in: baton_read_id_aa64isar2_el1()) != 0
  }

  /// Allows Advanced SIMD at this level, in the layout that HCR_EL2.E2H selects, and leaves
  /// streaming mode, in which it may be illegal, where the old kernel may have been in it: where it
  /// had allowed that. Firmware that knows nothing of SME has it trap to EL3, and a kernel that knows
  /// nothing of it, or was told not to use it, runs there all the same.
  public static func enableSIMD() {
    let usesSME: Bool
    switch regime {
    case .el1:
      let control = baton_read_cpacr_el1()
      usesSME = CPACR_EL1.smen.value(in: control) != 0
      baton_write_cpacr_el1(control | CPACR_EL1.fpen.mask)
    case .el2Host:
      let control = baton_read_cptr_el2()
      usesSME = CPACR_EL1.smen.value(in: control) != 0
      baton_write_cptr_el2(control | CPACR_EL1.fpen.mask)
    case .el2:
      let control = baton_read_cptr_el2()
      usesSME = !CPTR_EL2.tsm.isSet(in: control)
      baton_write_cptr_el2(control & ~CPTR_EL2.tfp.mask)
    }
    let hasSME = ID_AA64PFR1_EL1.sme.value(in: baton_read_id_aa64pfr1_el1()) != 0
    if hasSME, usesSME { baton_smstop() }
  }
}

extension TranslationRegime {
  public var levelName: StaticString {
    switch self {
    case .el1: "EL1"
    case .el2: "EL2"
    case .el2Host: "EL2 (VHE)"
    }
  }

  /// SCTLR with MMU, data cache and instruction cache on, written whole: this level's RES1 bits and
  /// nothing else that a former owner had set.
  public var translationOnSCTLR: UInt64 {
    let on = SCTLR.m.mask | SCTLR.c.mask | SCTLR.i.mask
    return (self == .el1 ? SCTLR.el1RES1 : SCTLR.el2RES1) | on
  }
}

extension baton_departure {
  /// The way to `entry` with every register of this level as it is now, MMU and data cache off.
  ///
  /// - Parameter vbar: the vector base that the entry code found and replaced.
  public init(
    entry: UInt64, arguments: (UInt64, UInt64, UInt64, UInt64), vbar: UInt64
  ) {
    self.init()
    self.entry = entry
    self.arguments = arguments
    self.vbar = vbar
    writable_start = baton_stage_writable_start()
    writable_end = baton_stage_writable_end()
    let off = ~(SCTLR.m.mask | SCTLR.c.mask)
    ttbr1 = Processor.upperRoot
    let hasTCR2 = ID_AA64MMFR3_EL1.tcrx.isSet(in: baton_read_id_aa64mmfr3_el1())
    if Processor.regime == .el1 {
      if hasTCR2 { tcr2 = baton_read_tcr2_el1() }
      sctlr = baton_read_sctlr_el1() & off
      tcr = baton_read_tcr_el1()
      mair = baton_read_mair_el1()
      ttbr0 = baton_read_ttbr0_el1()
      feature_control = baton_read_cpacr_el1()
    } else {
      if hasTCR2 { tcr2 = baton_read_tcr2_el2() }
      sctlr = baton_read_sctlr_el2() & off
      tcr = baton_read_tcr_el2()
      mair = baton_read_mair_el2()
      ttbr0 = baton_read_ttbr0_el2()
      feature_control = baton_read_cptr_el2()
    }
  }
}
