import PhysicalMemory

/// A descriptor at levels 0 to 2 that points to the table of the next level (Arm ARM D8.3.1.1,
/// "Table descriptor format"). The hierarchical controls APTable, UXNTable, PXNTable are 0: they
/// take nothing away.
struct TableDescriptor {
  /// A multiple of the granule's page, below 2^48.
  let nextLevelTable: PhysicalAddress

  /// Bits [47:12] hold the address; [1:0] = 0b11 say table.
  var rawValue: UInt64 { nextLevelTable.rawValue | 0b11 }
}
