import BootFormats
import PhysicalMemory

/// The machine's memory as its device tree tells.
public struct TreeMemory: Sendable {
  /// What may be mapped cacheable: all memory but what is `no-map`.
  public let mappable: PhysicalRangeSet
  /// What may be overwritten: `mappable` without reservations of any kind.
  public let available: PhysicalRangeSet

  /// - Throws: `DeviceTreeContentError` where a range cannot be read.
  public init(_ tree: DeviceTree) throws(DeviceTreeContentError) {
    var mappable = try tree.memory()
    var available = mappable
    for reserved in try tree.reservedMemory() {
      available.subtract(reserved.range)
      if reserved.isNoMap { mappable.subtract(reserved.range) }
    }
    for range in tree.reservations { available.subtract(range) }
    self.mappable = mappable
    self.available = available
  }
}

extension DeviceTree {
  /// The number of CPUs that the tree describes (Devicetree Specification v0.4, 3.8).
  public var cpuCount: Int {
    guard let cpus = child("cpus", of: root) else { return 0 }
    return children(of: cpus).count { property("device_type", of: $0)?.contains("cpu") ?? false }
  }
}
