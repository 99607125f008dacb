extension TranslationRegime {
  /// `tcr` with the physical address size (TCR_EL1.IPS, TCR_EL2.PS) of the machine whose
  /// ID_AA64MMFR0_EL1 is `mmfr0`.
  ///
  /// The field takes PARange's encoding. Sizes above 48 bits are cut down to it: beyond, the
  /// descriptors have other formats (FEAT_LPA, FEAT_LPA2).
  public func tcr(_ tcr: UInt64, mmfr0: UInt64) -> UInt64 {
    let paRange = mmfr0 & 0b1111
    let size = min(paRange, 0b101)
    switch self {
    case .el1, .el2Host: return TCR.ips.replacing(in: tcr, by: size)
    case .el2: return TCR.ps.replacing(in: tcr, by: size)
    }
  }
}
