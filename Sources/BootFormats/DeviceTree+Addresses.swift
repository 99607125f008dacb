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
    var registers = try registers(of: node)
    var current = node
    while !registers.isEmpty, let bus = parent(of: current), let parentBus = parent(of: bus) {
      try translate(&registers, through: bus, under: parentBus, for: node, counting: &looks)
      current = bus
    }
    var result: [PhysicalRange] = []
    result.reserveCapacity(registers.count)
    for register in registers {
      guard
        let range = PhysicalRange(
          start: PhysicalAddress(register.address), size: register.size)
      else { throw .malformedProperty("reg", node: node) }
      result.append(range)
    }
    return result
  }

  /// From the addresses in the space of `bus` to those in that of `parentBus` (Devicetree
  /// Specification v0.4, 2.3.8): an empty `ranges` changes nothing, none at all means that there is
  /// no way through.
  private func translate(
    _ registers: inout [Register], through bus: NodeID, under parentBus: NodeID,
    for node: NodeID, counting looks: inout Int
  ) throws(DeviceTreeContentError) {
    guard let ranges = property("ranges", of: bus) else { throw .notTranslatable(node: node) }
    if ranges.bytes.isEmpty { return }
    let counts = try cellCounts(of: bus)
    let parentCounts = try cellCounts(of: parentBus)
    let entrySize = counts.address + parentCounts.address + counts.size
    guard ranges.bytes.count % 4 == 0, entrySize > 0, ranges.cellCount % entrySize == 0 else {
      throw .malformedProperty("ranges", node: bus)
    }
    nextRegister: for index in registers.indices {
      let register = registers[index]
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
        guard register.address >= childStart else { continue }
        let distance = register.address - childStart
        guard distance <= length, register.size <= length - distance else { continue }
        let (translated, overflow) = parentStart.addingReportingOverflow(distance)
        guard !overflow else { throw .malformedProperty("ranges", node: bus) }
        registers[index] = Register(address: translated, size: register.size)
        continue nextRegister
      }
      throw .notTranslatable(node: node)
    }
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
