import CBatonArm64
import PhysicalMemory

/// A run of bytes that is moved between two kernels, contiguous at its source and at its
/// destination; or a run of zeros, which has no source.
///
/// It takes as little room as it does in the handoff block (`struct baton_extent`): an image whose
/// pages are scattered has tens of thousands.
public struct Extent: Hashable, Sendable {
  /// Sizes are multiples of this many bytes, and both ends are aligned to it: a cache line of the
  /// common size, one turn of the copy loop.
  public static let unit: UInt64 = 64

  /// The source's first byte, or `BATON_EXTENT_ZEROS`.
  let sourceStart: UInt64
  let destinationStart: UInt64
  /// In bytes.
  public internal(set) var size: UInt64

  /// The move of `size` bytes, or nil where an end is not aligned to `unit`, the size is not a
  /// multiple of it, a range leaves the address space, or the two ranges overlap.
  public init?(source: PhysicalAddress, destination: PhysicalAddress, size: UInt64) {
    guard source.isAligned(to: Extent.unit), destination.isAligned(to: Extent.unit),
      size & (Extent.unit - 1) == 0,
      let from = PhysicalRange(start: source, size: size),
      let to = PhysicalRange(start: destination, size: size),
      !from.overlaps(to)
    else { return nil }
    self.init(unchecked: source.rawValue, destination.rawValue, size)
  }

  /// Zeros in `destination`, or nil where an end of it is not aligned to `unit`.
  public init?(zeros destination: PhysicalRange) {
    guard destination.start.isAligned(to: Extent.unit), destination.end.isAligned(to: Extent.unit)
    else { return nil }
    self.init(unchecked: BATON_EXTENT_ZEROS, destination.start.rawValue, destination.size)
  }

  /// - Precondition: what `init(source:destination:size:)` checks holds.
  init(unchecked source: UInt64, _ destination: UInt64, _ size: UInt64) {
    sourceStart = source
    destinationStart = destination
    self.size = size
  }

  /// Whether nothing is read and zeros are written.
  public var isZeros: Bool { sourceStart == BATON_EXTENT_ZEROS }

  /// What is read; an empty range where nothing is.
  public var source: PhysicalRange {
    guard !isZeros else { return PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(0)) }
    return PhysicalRange(
      PhysicalAddress(sourceStart), upTo: PhysicalAddress(sourceStart &+ size))
  }

  /// What is written.
  public var destination: PhysicalRange {
    PhysicalRange(
      PhysicalAddress(destinationStart), upTo: PhysicalAddress(destinationStart &+ size))
  }
}
