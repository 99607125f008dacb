import PhysicalMemory

extension DeviceTree {
  /// An entry of `reg`: a place in the address space of the node's bus, in bytes.
  public struct Register: Sendable, Hashable {
    public let address: UInt64
    public let size: UInt64

    public init(address: UInt64, size: UInt64) {
      self.address = address
      self.size = size
    }
  }

  /// How many cells an address and a size take in the `reg` of the node's children.
  struct CellCounts {
    let address: Int
    let size: Int
  }

  /// `#address-cells` and `#size-cells` of the node, 2 and 1 where they are not given (Devicetree
  /// Specification v0.4, 2.3.5).
  func cellCounts(of node: NodeID) throws(DeviceTreeContentError) -> CellCounts {
    func count(_ name: String, _ otherwise: Int) throws(DeviceTreeContentError) -> Int {
      guard let value = property(name, of: node) else { return otherwise }
      // More than 4 means nothing to anybody; the bound keeps sums small.
      guard let count = value.u32, count <= 4 else {
        throw .malformedProperty(name, node: node)
      }
      return Int(count)
    }
    return CellCounts(
      address: try count("#address-cells", 2), size: try count("#size-cells", 1))
  }

  /// The entries of the node's `reg`, empty where it has none, in the address space of its bus.
  ///
  /// Throws where an address or size has more than 64 bits, as on PCI.
  public func registers(
    of node: NodeID
  ) throws(DeviceTreeContentError) -> [Register] {
    guard let value = property("reg", of: node) else { return [] }
    guard let parent = parent(of: node) else {
      throw .malformedProperty("reg", node: node)
    }
    let counts = try cellCounts(of: parent)
    let entrySize = counts.address + counts.size
    guard value.bytes.count % 4 == 0, entrySize > 0, value.cellCount % entrySize == 0 else {
      throw .malformedProperty("reg", node: node)
    }
    var result: [Register] = []
    for start in stride(from: 0, to: value.cellCount, by: entrySize) {
      guard let address = value.number(at: start, cellCount: counts.address),
        let size = value.number(at: start + counts.address, cellCount: counts.size)
      else { throw .malformedProperty("reg", node: node) }
      result.append(Register(address: address, size: size))
    }
    return result
  }

  /// How many entries of `ranges` are looked at for the addresses of one node at most. Each entry of
  /// `reg` is compared with one of `ranges` after the other: in a tree of the largest size that would
  /// be thousands of millions. Machines have a few of each.
  public static var translationLimit: Int { 1 << 14 }

  /// The entries of the node's `reg` as the CPU sees them: translated by the `ranges` of every bus
  /// up to the root.
  public func physicalRanges(
    of node: NodeID
  ) throws(DeviceTreeContentError) -> [PhysicalRange] {
    var looks = 0
    return try physicalRanges(of: node, counting: &looks)
  }

  /// The same for one of several nodes, which have the limit together.
  func physicalRanges(
    of node: NodeID, counting looks: inout Int
  ) throws(DeviceTreeContentError) -> [PhysicalRange] {
    var result: [PhysicalRange] = []
    for register in try registers(of: node) {
      result.append(try translate(register, of: node, counting: &looks))
    }
    return result
  }

  private func translate(
    _ register: Register, of node: NodeID, counting looks: inout Int
  ) throws(DeviceTreeContentError) -> PhysicalRange {
    var address = register.address
    var current = node
    while let bus = parent(of: current), let parentBus = parent(of: bus) {
      address = try translate(
        address, size: register.size, through: bus, under: parentBus, for: node,
        counting: &looks)
      current = bus
    }
    guard let range = PhysicalRange(start: PhysicalAddress(address), size: register.size) else {
      throw .malformedProperty("reg", node: node)
    }
    return range
  }

  /// The address in `parentBus`' space of what lies at `address` in that of `bus` (Devicetree
  /// Specification v0.4, 2.3.8): an empty `ranges` changes nothing, none at all means that there is
  /// no way through.
  private func translate(
    _ address: UInt64, size: UInt64, through bus: NodeID, under parentBus: NodeID,
    for node: NodeID, counting looks: inout Int
  ) throws(DeviceTreeContentError) -> UInt64 {
    guard let ranges = property("ranges", of: bus) else { throw .notTranslatable(node: node) }
    if ranges.bytes.isEmpty { return address }
    let counts = try cellCounts(of: bus)
    let parentCounts = try cellCounts(of: parentBus)
    let entrySize = counts.address + parentCounts.address + counts.size
    guard ranges.bytes.count % 4 == 0, entrySize > 0, ranges.cellCount % entrySize == 0 else {
      throw .malformedProperty("ranges", node: bus)
    }
    for start in stride(from: 0, to: ranges.cellCount, by: entrySize) {
      looks += 1
      guard looks <= Self.translationLimit else { throw .tooManyRanges(node: node) }
      guard
        let childStart = ranges.number(at: start, cellCount: counts.address),
        let parentStart = ranges.number(
          at: start + counts.address, cellCount: parentCounts.address),
        let length = ranges.number(
          at: start + counts.address + parentCounts.address, cellCount: counts.size)
      else { throw .notTranslatable(node: node) }
      guard address >= childStart else { continue }
      let distance = address - childStart
      guard distance <= length, size <= length - distance else { continue }
      let (translated, overflow) = parentStart.addingReportingOverflow(distance)
      guard !overflow else { throw .malformedProperty("ranges", node: bus) }
      return translated
    }
    throw .notTranslatable(node: node)
  }
}

extension DeviceTree.PropertyValue {
  /// The number of `cellCount` cells from cell `index` on, or nil where it has more than 64 bits.
  func number(at index: Int, cellCount: Int) -> UInt64? {
    switch cellCount {
    case 0: 0
    case 1: UInt64(cell(index))
    case 2: UInt64(cell(index)) << 32 | UInt64(cell(index + 1))
    default: nil
    }
  }
}
