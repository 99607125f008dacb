import ArmTranslation
import CBareMetal
import CBatonArm64

/// The system registers of the level that the stage was entered at, as they were found, and what
/// is true of this CPU.
public struct ProcessorState {
  /// The regime that code at this level is translated by.
  public let regime: TranslationRegime

  private let sctlr: UInt64
  private let tcr: UInt64
  private let mair: UInt64
  private let ttbr0: UInt64
  private let featureControl: UInt64
  private let vbar: UInt64

  /// Reads the registers.
  ///
  /// - Parameter vbar: the vector base that the entry code found and replaced.
  public init(vbar: UInt64) {
    self.vbar = vbar
    if baton_read_current_el() >> 2 == 2 {
      // HCR_EL2.E2H
      regime = baton_read_hcr_el2() >> 34 & 1 != 0 ? .el2Host : .el2
      sctlr = baton_read_sctlr_el2()
      tcr = baton_read_tcr_el2()
      mair = baton_read_mair_el2()
      ttbr0 = baton_read_ttbr0_el2()
      featureControl = baton_read_cptr_el2()
    } else {
      regime = .el1
      sctlr = baton_read_sctlr_el1()
      tcr = baton_read_tcr_el1()
      mair = baton_read_mair_el1()
      ttbr0 = baton_read_ttbr0_el1()
      featureControl = baton_read_cpacr_el1()
    }
  }

  public var levelName: StaticString {
    switch regime {
    case .el1: "EL1"
    case .el2: "EL2"
    case .el2Host: "EL2 (VHE)"
    }
  }

  /// Whether tables and TCR have the layout of EL2's own regime, not that of EL1.
  public var usesEL2Layout: Bool { regime == .el2 }

  /// Where TCR keeps that encoding: IPS in the layout of EL1, PS in EL2's own.
  public var addressSizeShift: UInt64 {
    regime == .el2 ? 16 : 32
  }

  /// ID_AA64MMFR0_EL1.PARange, the encoding that TCR's IPS and PS take. 52 bits and more need
  /// other descriptors, so 48 bits is the most that is asked for.
  public static var addressSizeEncoding: UInt64 {
    min(baton_read_id_aa64mmfr0_el1() & 15, 5)
  }

  /// Whether this CPU translates with pages of `1 << shift` bytes (ID_AA64MMFR0_EL1.TGran*).
  public static func hasGranule(shift: UInt32) -> Bool {
    let features = baton_read_id_aa64mmfr0_el1()
    switch shift {
    case 12: return features >> 28 & 15 != 15
    case 14: return features >> 20 & 15 != 0
    case 16: return features >> 24 & 15 != 15
    default: return false
    }
  }

  /// Whether this CPU has the SHA-256 instructions (ID_AA64ISAR0_EL1.SHA2).
  public static var hasSHA256: Bool {
    baton_read_id_aa64isar0_el1() >> 12 & 15 != 0
  }

  /// Allows Advanced SIMD at this level, in the layout that HCR_EL2.E2H selects, and leaves
  /// streaming mode where there is one.
  public func enableSIMD() {
    let hasSME = baton_read_id_aa64pfr1_el1() >> 24 & 15 != 0
    switch regime {
    case .el1:
      // CPACR_EL1.FPEN, and SMEN for the SMSTOP.
      baton_write_cpacr_el1(featureControl | 3 << 20 | (hasSME ? 3 << 24 : 0))
    case .el2Host:
      // CPTR_EL2 in CPACR_EL1's layout.
      baton_write_cptr_el2(featureControl | 3 << 20 | (hasSME ? 3 << 24 : 0))
    case .el2:
      // CPTR_EL2.TFP and TSM trap where they are set.
      baton_write_cptr_el2(featureControl & ~(1 << 10) & ~(hasSME ? 1 << 12 : 0))
    }
    if hasSME { baton_smstop() }
  }

  /// SCTLR with MMU, data cache and instruction cache on, written whole: this level's RES1 bits
  /// and nothing else that a former owner had set.
  public var translationOnSCTLR: UInt64 {
    let caches: UInt64 = 1 << 0 | 1 << 2 | 1 << 12  // M, C, I
    switch regime {
    // LSMAOE, nTLSMD, SPAN, EIS, TSCXT, EOS
    case .el1: return 0x30D0_0800 | caches
    // RES1 without VHE; with it, the same bits as in SCTLR_EL1 and their EL0 neighbours.
    case .el2, .el2Host: return 0x30C5_0830 | caches
    }
  }

  /// The departure that restores every register that was found, MMU and data cache off.
  public func departure(
    entry: UInt64, arguments: (UInt64, UInt64, UInt64, UInt64)
  ) -> baton_departure {
    baton_departure(
      entry: entry, arguments: arguments, writable_start: baton_stage_writable_start(),
      writable_end: baton_stage_writable_end(), sctlr: sctlr & ~0b101, tcr: tcr, mair: mair,
      ttbr0: ttbr0, feature_control: featureControl, vbar: vbar)
  }
}
