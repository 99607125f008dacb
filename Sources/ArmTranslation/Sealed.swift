import PhysicalMemory

/// The state of `TranslationTables` that are complete.
public struct Sealed: Sendable {
  let memory: PhysicalRange
  /// The words of these tables, and of others that were sealed with them.
  let allWords: [UInt64]
  /// Where among them those of these tables begin.
  let firstWord: Int
  let regime: TranslationRegime
  let range: AddressRange
  let geometry: TranslationGeometry
}
