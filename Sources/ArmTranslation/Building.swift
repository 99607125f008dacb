import PhysicalMemory

/// The state of `TranslationTables` that take mappings: what is declared so far.
public struct Building: Sendable {
  let regime: TranslationRegime
  let granule: Granule
  let format: AddressFormat
  let range: AddressRange
  /// In ascending order of virtual addresses, disjoint, joined wherever they can be.
  var mappings: [Mapping] = []
  /// Likewise, and disjoint from the mappings.
  var windows: [Window] = []
  /// The windows' parts, in ascending order of virtual addresses.
  var parts: [WindowPart] = []
}
