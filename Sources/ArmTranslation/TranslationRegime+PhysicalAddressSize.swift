extension TranslationRegime {
  /// `tcr` with the physical address size (TCR_EL1.IPS, TCR_EL2.PS) of the machine whose
  /// ID_AA64MMFR0_EL1 is `mmfr0`.
  ///
  /// The field takes PARange's encoding. Sizes above 52 bits are cut down to it, and above 48 where
  /// `tcr` has the 48-bit format: beyond, descriptors have other formats.
  public func tcr(_ tcr: UInt64, mmfr0: UInt64) -> UInt64 {
    let uses64K = tcr >> 14 & 0b11 == 0b01  // TG0
    let ds = self == .el2 ? tcr >> 32 : tcr >> 59
    let size = min(mmfr0 & 0b1111, uses64K || ds & 1 != 0 ? 0b110 : 0b101)
    switch self {
    case .el1, .el2Host: return TCR.ips.replacing(in: tcr, by: size)
    case .el2: return TCR.ps.replacing(in: tcr, by: size)
    }
  }
}
