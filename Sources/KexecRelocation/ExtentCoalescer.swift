import CBatonArm64
import PhysicalMemory

/// Joins pages that follow each other into extents, in one pass: what a list of pages becomes.
///
/// It takes a few instructions a page, so everything about the run that is being joined is in
/// values of its own, and nothing is checked that a page list cannot get wrong.
public struct ExtentCoalescer {
  public private(set) var extents: [Extent] = []
  /// Where the next page continues the run; `BATON_EXTENT_ZEROS` in a run of zeros.
  private var nextSource: UInt64 = 0
  private var nextDestination: UInt64 = 0
  private var size: UInt64 = 0

  /// - Parameter capacity: how many extents there may be at most, where that is known.
  public init(capacity: Int = 0) {
    extents.reserveCapacity(capacity)
  }

  /// A page of `size` bytes that is moved. One that stays where it is ends a run and makes none.
  ///
  /// - Precondition: both addresses are multiples of `size`, below 2^56.
  @inline(__always)
  public mutating func append(source: UInt64, destination: UInt64, size: UInt64) {
    if source == nextSource, destination == nextDestination {
      self.size &+= size
    } else {
      flush()
      if source == destination { return }
      self.size = size
    }
    nextSource = source &+ size
    nextDestination = destination &+ size
  }

  /// A page of `size` bytes that becomes zeros.
  @inline(__always)
  public mutating func appendZeros(destination: UInt64, size: UInt64) {
    if nextSource == BATON_EXTENT_ZEROS, destination == nextDestination {
      self.size &+= size
    } else {
      flush()
      nextSource = BATON_EXTENT_ZEROS
      self.size = size
    }
    nextDestination = destination &+ size
  }

  /// The extents of all pages.
  public consuming func finish() -> [Extent] {
    flush()
    return extents
  }

  @inline(__always)
  private mutating func flush() {
    guard size != 0 else { return }
    let source =
      nextSource == BATON_EXTENT_ZEROS ? nextSource : nextSource &- size
    extents.append(Extent(unchecked: source, nextDestination &- size, size))
    size = 0
    nextSource = 0
    nextDestination = 0
  }
}
