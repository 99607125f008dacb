import PhysicalMemory

extension DeviceTree {
  /// The memory that the tree's memory nodes describe (Devicetree Specification v0.4, 3.4), without
  /// regard to reservations. Empty where there are none, as behind UEFI's stub.
  public func memory() throws(DeviceTreeContentError) -> PhysicalRangeSet {
    var memory: [PhysicalRange] = []
    var space: AddressSpace?
    var looks = 0
    for node in children(of: root)
    where property("device_type", of: node)?.contains("memory") ?? false && isAvailable(node) {
      memory += try physicalRanges(of: node, in: &space, counting: &looks)
    }
    return PhysicalRangeSet(memory)
  }

  /// A child of /reserved-memory that has a fixed place.
  public struct ReservedMemory: Sendable, Hashable {
    public let node: NodeID
    public let range: PhysicalRange
    /// Whether it must not even be mapped (`no-map`): a speculative access could be an error.
    public let isNoMap: Bool
  }

  /// The children of /reserved-memory that have a fixed place (Devicetree Specification v0.4, 3.5);
  /// the others' place is chosen by each kernel for itself.
  public func reservedMemory() throws(DeviceTreeContentError) -> [ReservedMemory] {
    guard let parent = child("reserved-memory", of: root) else { return [] }
    var result: [ReservedMemory] = []
    var space: AddressSpace?
    var looks = 0
    for node in children(of: parent) where isAvailable(node) {
      let isNoMap = hasProperty("no-map", of: node)
      for range in try physicalRanges(of: node, in: &space, counting: &looks) {
        result.append(ReservedMemory(node: node, range: range, isNoMap: isNoMap))
      }
    }
    return result
  }
}
