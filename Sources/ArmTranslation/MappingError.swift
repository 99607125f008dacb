import PhysicalMemory

/// Why a mapping was not accepted. The tables are as they were before it was tried.
public enum MappingError: Error, Hashable, Sendable {
  /// Start or size of the physical range, or the virtual start, is not a multiple of the page.
  case unaligned(Mapping, pageSize: UInt64)
  /// The physical range ends above 2^`bits`.
  case beyondPhysicalAddressSize(Mapping, bits: Int)
  /// The virtual range ends above 2^`bits`, or where TTBR1 translates it, begins more than
  /// 2^`bits` below 2^64 or holds the last page there is.
  case beyondVirtualAddressSize(Mapping, bits: Int)
  /// Part of the virtual range is mapped already. The earlier mapping is reported joined with
  /// those that continue it.
  case overlap(Mapping, with: Mapping)
}
