import PhysicalMemory

/// A descriptor above level 3 that points to the table of the next level (Arm ARM D8.3.1.1,
/// "Table descriptor format"). The hierarchical controls APTable, UXNTable, PXNTable are 0: they
/// take nothing away.
struct TableDescriptor {
  /// A multiple of the granule's page.
  let nextLevelTable: PhysicalAddress
  let geometry: TranslationGeometry

  /// The address where the format has it; [1:0] = 0b11 say table.
  var rawValue: UInt64 {
    geometry.format.field(nextLevelTable, granule: geometry.granule) | 0b11
  }
}
