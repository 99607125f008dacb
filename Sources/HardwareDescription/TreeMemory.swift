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
    let all = mappable
    // A tree may have as many as fill it: all at once, which takes time linear in them.
    var taken = tree.reservations
    var unmapped: [PhysicalRange] = []
    for reserved in try tree.reservedMemory() {
      taken.append(reserved.range)
      if reserved.isNoMap { unmapped.append(reserved.range) }
    }
    mappable.subtract(PhysicalRangeSet(unmapped))
    self.mappable = mappable
    available = all.subtracting(PhysicalRangeSet(taken))
  }
}

extension DeviceTree {
  /// The number of CPUs that the tree describes (Devicetree Specification v0.4, 3.8).
  public var cpuCount: Int {
    guard let cpus = child("cpus", of: root) else { return 0 }
    return children(of: cpus).count { property("device_type", of: $0)?.contains("cpu") ?? false }
  }
}
