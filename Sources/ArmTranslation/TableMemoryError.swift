import PhysicalMemory

/// Why tables cannot lie in the memory that was offered for them.
public enum TableMemoryError: Error, Hashable, Sendable {
  /// The start is not a multiple of the granule's page.
  case unaligned(PhysicalRange, pageSize: UInt64)
  /// The range ends above 2^`bits`, where no table descriptor can point.
  case beyondPhysicalAddressSize(PhysicalRange, bits: Int)
  /// The range holds fewer whole pages than the tables take.
  case tooSmall(PhysicalRange, pagesNeeded: Int)
}
