/// The translation regime that tables are built for. A descriptor or control value of one regime
/// is wrong in another (Arm ARM D8.1.2, "Translation regimes").
public enum TranslationRegime: Sendable, Hashable, CaseIterable {
  /// EL1&0: two VA ranges, TCR_EL1, PXN and UXN.
  case el1
  /// EL2 with HCR_EL2.E2H = 0: one VA range, TCR_EL2's own layout, a single XN bit.
  case el2
  /// EL2&0, with HCR_EL2.E2H = 1 (VHE): EL1's layouts, reached through the redirected registers.
  case el2Host
}
