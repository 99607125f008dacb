import PhysicalMemory

/// A run of bytes that is moved between two kernels: contiguous at its source and at its
/// destination.
public struct Extent: Hashable, Sendable {
  /// Sizes are multiples of this many bytes, and both ends are aligned to it: a cache line of the
  /// common size, one turn of the copy loop.
  public static let unit: UInt64 = 64

  public let source: PhysicalRange
  public let destination: PhysicalRange

  /// The move of `size` bytes, or nil where an end is not aligned to `unit`, the size is not a
  /// multiple of it, a range leaves the address space, or the two ranges overlap.
  public init?(source: PhysicalAddress, destination: PhysicalAddress, size: UInt64) {
    guard source.isAligned(to: Extent.unit), destination.isAligned(to: Extent.unit),
      size & (Extent.unit - 1) == 0,
      let from = PhysicalRange(start: source, size: size),
      let to = PhysicalRange(start: destination, size: size),
      !from.overlaps(to)
    else { return nil }
    self.source = from
    self.destination = to
  }

  public var size: UInt64 { source.size }
}
