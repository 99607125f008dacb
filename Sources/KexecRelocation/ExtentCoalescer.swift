import CBatonArm64
import PhysicalMemory

/// Joins pages that follow each other into extents, in one pass: what a list of pages becomes.
///
/// It takes a few instructions a page, so a run is put down with its first page and grows where it
/// lies, in memory that is there already, and nothing is checked that a page list cannot get wrong.
@safe
struct ExtentCoalescer {
  /// The last one is the run that is being joined.
  private let extents: UnsafeMutableBufferPointer<Extent>
  /// How many they are.
  private(set) var count = 0
  /// Where the next page continues the run: no page of zeros does where pages are moved, nor the other
  /// way round.
  private var nextSource = Self.nowhere
  private var nextDestination: UInt64 = 0

  /// Neither a page nor `BATON_EXTENT_ZEROS`.
  private static var nowhere: UInt64 { 1 }

  /// Sound where `extents` has room for an extent for each page, and outlives this.
  init(into extents: UnsafeMutableBufferPointer<Extent>) { unsafe self.extents = extents }

  /// A page of `size` bytes that is moved. One that stays where it is ends a run and makes none.
  ///
  /// - Precondition: both addresses are multiples of `size`, below 2^56.
  @inline(__always)
  mutating func append(source: UInt64, destination: UInt64, size: UInt64) {
    if source == nextSource, destination == nextDestination {
      unsafe extents[count &- 1].size &+= size
    } else if source != destination {
      unsafe extents[count] = Extent(unchecked: source, destination, size)
      count &+= 1
    } else {
      nextSource = Self.nowhere
      return
    }
    nextSource = source &+ size
    nextDestination = destination &+ size
  }

  /// A page of `size` bytes that becomes zeros.
  @inline(__always)
  mutating func appendZeros(destination: UInt64, size: UInt64) {
    if nextSource == BATON_EXTENT_ZEROS, destination == nextDestination {
      unsafe extents[count &- 1].size &+= size
    } else {
      unsafe extents[count] = Extent(unchecked: BATON_EXTENT_ZEROS, destination, size)
      count &+= 1
    }
    nextSource = BATON_EXTENT_ZEROS
    nextDestination = destination &+ size
  }
}
