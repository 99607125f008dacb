import PhysicalMemory

/// The state of `TranslationTables` that are complete.
public struct Sealed: Sendable {
  let memory: PhysicalRange
  let words: [UInt64]
  let regime: TranslationRegime
  let range: AddressRange
  let geometry: TranslationGeometry
}
