import CBatonArm64
import PhysicalMemory

/// Joins pages that follow each other into extents, in one pass: what a list of pages becomes.
///
/// It takes a few instructions a page, so everything about the run that is being joined is in
/// values of its own, what is done goes to memory that is there already, and nothing is checked that a
/// page list cannot get wrong.
struct ExtentCoalescer {
  /// Where the next page continues the run; `BATON_EXTENT_ZEROS` in a run of zeros.
  private var nextSource: UInt64 = 0
  private var nextDestination: UInt64 = 0
  private var size: UInt64 = 0

  /// A page of `size` bytes that is moved. One that stays where it is ends a run and makes none.
  ///
  /// - Parameter extents: what is joined by then; it has room for an extent for each page.
  /// - Precondition: both addresses are multiples of `size`, below 2^56.
  @inline(__always)
  mutating func append(
    source: UInt64, destination: UInt64, size: UInt64, to extents: inout OutputSpan<Extent>
  ) {
    if source == nextSource, destination == nextDestination {
      self.size &+= size
    } else {
      finish(&extents)
      if source == destination { return }
      self.size = size
    }
    nextSource = source &+ size
    nextDestination = destination &+ size
  }

  /// A page of `size` bytes that becomes zeros.
  @inline(__always)
  mutating func appendZeros(
    destination: UInt64, size: UInt64, to extents: inout OutputSpan<Extent>
  ) {
    if nextSource == BATON_EXTENT_ZEROS, destination == nextDestination {
      self.size &+= size
    } else {
      finish(&extents)
      nextSource = BATON_EXTENT_ZEROS
      self.size = size
    }
    nextDestination = destination &+ size
  }

  /// The run so far is all of it.
  @inline(__always)
  mutating func finish(_ extents: inout OutputSpan<Extent>) {
    guard size != 0 else { return }
    let source =
      nextSource == BATON_EXTENT_ZEROS ? nextSource : nextSource &- size
    extents.append(Extent(unchecked: source, nextDestination &- size, size))
    size = 0
    nextSource = 0
    nextDestination = 0
  }
}
