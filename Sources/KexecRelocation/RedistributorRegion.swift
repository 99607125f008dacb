import PhysicalMemory

/// Registers of GICv3 redistributors, a frame a CPU, one behind the other (Arm IHI 0069).
public struct RedistributorRegion: Hashable, Sendable {
  public let range: PhysicalRange
  /// The distance between two frames in bytes; nil where the frames themselves say it.
  public let stride: UInt64?

  public init(range: PhysicalRange, stride: UInt64?) {
    self.range = range
    self.stride = stride
  }
}
