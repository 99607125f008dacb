import PhysicalMemory

/// A GICv3 or later (Arm IHI 0069; Linux
/// Documentation/devicetree/bindings/interrupt-controller/arm,gic-v3.yaml).
public struct InterruptControllerDescription: Sendable, Hashable {
  /// The regions that hold the CPUs' redistributors, one frame behind the other.
  public let redistributors: [PhysicalRange]
  /// The distance between two frames in bytes; nil where it is what the frames themselves say.
  public let redistributorStride: UInt64?

  public init(redistributors: [PhysicalRange], redistributorStride: UInt64?) {
    self.redistributors = redistributors
    self.redistributorStride = redistributorStride
  }
}

extension DeviceTree {
  /// The interrupt controller, or nil where the tree has none with redistributors.
  public func interruptController() throws(DeviceTreeContentError)
    -> InterruptControllerDescription?
  {
    guard let node = nodes(compatibleWith: "arm,gic-v3").first else { return nil }
    var count: UInt32 = 1
    if let value = property("#redistributor-regions", of: node) {
      guard let number = value.u32 else {
        throw .malformedProperty("#redistributor-regions", node: node)
      }
      count = number
    }
    var stride: UInt64?
    if let value = property("redistributor-stride", of: node) {
      // A multiple of 64 KiB, the size of one of a frame's parts.
      guard let number = value.unsigned, number > 0, number & 0xFFFF == 0 else {
        throw .malformedProperty("redistributor-stride", node: node)
      }
      stride = number
    }
    // The distributor comes first, what virtualization needs last.
    let ranges = try physicalRanges(of: node)
    guard count > 0, ranges.count > Int(count) else {
      throw .malformedProperty("reg", node: node)
    }
    return InterruptControllerDescription(
      redistributors: Array(ranges[1...Int(count)]), redistributorStride: stride)
  }
}
