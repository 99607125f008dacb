import PhysicalMemory

/// Memory that a table walk reads descriptors from.
public protocol TableMemory {
  /// The little-endian 64-bit word at `address`, a multiple of 8; nil where there is no memory
  /// that the walk may read.
  func word(at address: PhysicalAddress) -> UInt64?
}
