/// A half-open range of physical memory: `start ..< end`, in bytes.
///
/// A value of this type never wraps: `end` is at most 2^64 − 1. An empty range has a place, but
/// contains and overlaps nothing.
public struct PhysicalRange: Hashable, Sendable {
  /// The first byte.
  public let start: PhysicalAddress
  /// The number of bytes.
  public let size: UInt64

  /// The range of `size` bytes from `start`, or nil where it would leave 64 bits.
  @inlinable
  public init?(start: PhysicalAddress, size: UInt64) {
    guard start.advanced(bySize: size) != nil else { return nil }
    self.start = start
    self.size = size
  }

  /// The range from `start` up to, not including, `end`, or nil where `end` is below `start`.
  @inlinable
  public init?(start: PhysicalAddress, end: PhysicalAddress) {
    guard start <= end else { return nil }
    self.start = start
    self.size = end - start
  }

  /// The range `start ..< end`.
  ///
  /// - Precondition: `start` is not above `end`.
  @inlinable
  public init(_ start: PhysicalAddress, upTo end: PhysicalAddress) {
    precondition(start <= end)
    self.start = start
    self.size = end - start
  }

  /// The byte after the last one.
  @inlinable
  public var end: PhysicalAddress { start + size }

  @inlinable
  public var isEmpty: Bool { size == 0 }

  @inlinable
  public func contains(_ address: PhysicalAddress) -> Bool {
    start <= address && address < end
  }

  /// Whether every byte of `other` lies in this range; true of an empty `other`.
  @inlinable
  public func contains(_ other: PhysicalRange) -> Bool {
    other.isEmpty || (start <= other.start && other.end <= end)
  }

  @inlinable
  public func overlaps(_ other: PhysicalRange) -> Bool {
    !isEmpty && !other.isEmpty && start < other.end && other.start < end
  }

  /// The bytes that lie in both, or nil where there are none.
  @inlinable
  public func intersection(_ other: PhysicalRange) -> PhysicalRange? {
    guard overlaps(other) else { return nil }
    return PhysicalRange(max(start, other.start), upTo: min(end, other.end))
  }

  /// The smallest range of whole multiples of `alignment` (a power of two) that contains this
  /// one, or nil where that would leave 64 bits. An empty range stays empty.
  @inlinable
  public func alignedOutward(to alignment: UInt64) -> PhysicalRange? {
    guard !isEmpty else {
      let place = start.alignedDown(to: alignment)
      return PhysicalRange(place, upTo: place)
    }
    guard let end = end.alignedUp(to: alignment) else { return nil }
    return PhysicalRange(start.alignedDown(to: alignment), upTo: end)
  }

  /// The largest range of whole multiples of `alignment` (a power of two) inside this one, or nil
  /// where there is not even one.
  @inlinable
  public func alignedInward(to alignment: UInt64) -> PhysicalRange? {
    guard let start = start.alignedUp(to: alignment) else { return nil }
    let end = end.alignedDown(to: alignment)
    return start < end ? PhysicalRange(start, upTo: end) : nil
  }
}
