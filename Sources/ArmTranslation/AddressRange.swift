/// The range of virtual addresses that a set of tables translates (Arm ARM D8.2.1, "Translation
/// table base address registers").
public enum AddressRange: Sendable, Hashable, CaseIterable {
  /// From 0 up, by TTBR0.
  case lower
  /// Up to 2^64, by TTBR1. EL2's own regime has none.
  case upper
}

extension TranslationRegime {
  /// Whether the regime has TTBR1.
  public var hasUpperRange: Bool { self != .el2 }
}
