import KexecRelocation
import PhysicalMemory

/// Physical memory as a loader sees it: all of it on bare metal, a copy of some of it in tests.
public protocol LoaderMemory: PageMemory {
  /// Cleans `range` to the point of coherency, for those who read around the caches.
  func clean(_ range: PhysicalRange)
  /// Hands `body` what lies in `range`.
  func read<Result, Failure>(
    _ range: PhysicalRange, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result
  /// What time it is, in ticks of whatever clock there is.
  var ticks: UInt64 { get }
}
