/// A field of a system register: its lowest bit and its width.
public struct RegisterField {
  let shift: UInt64
  let width: UInt64

  init(_ shift: UInt64, width: UInt64 = 1) {
    self.shift = shift
    self.width = width
  }

  public var mask: UInt64 { (1 << width - 1) << shift }

  public func value(in register: UInt64) -> UInt64 { register >> shift & (1 << width - 1) }

  public func isSet(in register: UInt64) -> Bool { value(in: register) != 0 }
}

// The fields that Baton looks at or writes, by their names in the Arm ARM (D24.2). Computed, not
// stored: the stage has no initialized variables.

public enum HCR_EL2 {
  public static var tge: RegisterField { RegisterField(27) }
  public static var rw: RegisterField { RegisterField(31) }
  public static var e2h: RegisterField { RegisterField(34) }
}

enum ID_AA64ISAR0_EL1 {
  static var sha2: RegisterField { RegisterField(12, width: 4) }
}

enum ID_AA64ISAR2_EL1 {
  static var mops: RegisterField { RegisterField(16, width: 4) }
}

enum ID_AA64MMFR0_EL1 {
  static var tGran16: RegisterField { RegisterField(20, width: 4) }
  static var tGran64: RegisterField { RegisterField(24, width: 4) }
  static var tGran4: RegisterField { RegisterField(28, width: 4) }
}

enum ID_AA64MMFR1_EL1 {
  static var vh: RegisterField { RegisterField(8, width: 4) }
}

enum ID_AA64MMFR2_EL1 {
  static var vaRange: RegisterField { RegisterField(16, width: 4) }
}

enum ID_AA64MMFR3_EL1 {
  static var tcrx: RegisterField { RegisterField(0, width: 4) }
}

enum ID_AA64PFR1_EL1 {
  static var sme: RegisterField { RegisterField(24, width: 4) }
}

enum MPIDR_EL1 {
  /// Aff0 to Aff2, Aff3.
  static var affinity: UInt64 { 0xFF_00FF_FFFF }
}

/// CPACR_EL1; CPTR_EL2 has this layout where HCR_EL2.E2H is set.
enum CPACR_EL1 {
  static var fpen: RegisterField { RegisterField(20, width: 2) }
  static var smen: RegisterField { RegisterField(24, width: 2) }
}

/// CPTR_EL2 where HCR_EL2.E2H is clear: bits that trap.
enum CPTR_EL2 {
  static var tfp: RegisterField { RegisterField(10) }
  static var tsm: RegisterField { RegisterField(12) }
}

/// SCTLR_EL1 and SCTLR_EL2.
enum SCTLR {
  static var m: RegisterField { RegisterField(0) }
  static var c: RegisterField { RegisterField(2) }
  static var i: RegisterField { RegisterField(12) }

  /// EOS, TSCXT, EIS, SPAN, nTLSMD, LSMAOE: RES1 on CPUs without the features that use them, and
  /// the former behaviour on those that have them.
  static var el1RES1: UInt64 {
    1 << 11 | 1 << 20 | 1 << 22 | 1 << 23 | 1 << 28 | 1 << 29
  }

  /// RES1 in SCTLR_EL2 where HCR_EL2.E2H is clear: bits 4, 5, 11, 16, 18, 22, 23, 28, 29. With E2H
  /// they are EL1's of the same place (SA0, CP15BEN, EOS, nTWI, nTWE, EIS, SPAN, nTLSMD, LSMAOE).
  static var el2RES1: UInt64 {
    1 << 4 | 1 << 5 | 1 << 11 | 1 << 16 | 1 << 18 | 1 << 22 | 1 << 23 | 1 << 28 | 1 << 29
  }
}
