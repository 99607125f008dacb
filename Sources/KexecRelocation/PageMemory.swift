import PhysicalMemory

/// Physical memory as whoever prepares a relocation sees it: all of it on bare metal, an array in
/// tests.
public protocol PageMemory {
  /// The 64-bit word at `address`, a multiple of 8 in a page that the caller owns.
  func word(at address: PhysicalAddress) -> UInt64
  func setWord(_ word: UInt64, at address: PhysicalAddress)
  /// Writes `bytes` from `address` on.
  func write(_ bytes: RawSpan, at address: PhysicalAddress)
  /// Fills `range` with zeros.
  func clear(_ range: PhysicalRange)
  /// Copies `size` bytes between two pages.
  func copy(_ size: UInt64, from source: PhysicalAddress, to target: PhysicalAddress)
}
