import PhysicalMemory

/// Why a set of ranges cannot be covered by mappable memory.
public enum BlockCoverError: Error, Hashable, Sendable {
  /// A page of this range does not lie wholly in mappable memory.
  case outsideMemory(PhysicalRange)
}
