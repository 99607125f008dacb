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
    return try registers(in: value, of: node, cellCounts(of: parent))
  }

  private func registers(
    in value: PropertyValue, of node: NodeID, _ counts: CellCounts
  ) throws(DeviceTreeContentError) -> [Register] {
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

  /// How many entries of `ranges` are looked at for the addresses of one node at most,
  /// or of all children of a bus that are asked for together. Each entry of
  /// `reg` is compared with one of `ranges` after the other: in a tree of the largest size that would
  /// be thousands of millions. Machines have a few of each.
  public static var translationLimit: Int { 1 << 14 }

  /// The entries of the node's `reg` as the CPU sees them: translated by the `ranges` of every bus
  /// up to the root.
  public func physicalRanges(
    of node: NodeID
  ) throws(DeviceTreeContentError) -> [PhysicalRange] {
    var looks = 0
    var space: AddressSpace?
    return try physicalRanges(of: node, in: &space, counting: &looks)
  }

  /// What the addresses of a bus's children mean: the same for all of them, and read once, since a bus
  /// may have as many properties as it has children.
  struct AddressSpace {
    fileprivate let counts: CellCounts
    fileprivate var translations: [Translation] = []
    /// What ends the way before the root.
    fileprivate var obstacle: Obstacle?
  }

  /// `ranges` of a bus: what leads from its own addresses to those of the bus that it is on.
  fileprivate struct Translation {
    let bus: NodeID
    let ranges: PropertyValue
    let counts: CellCounts
    let parentCounts: CellCounts

    var entrySize: Int { counts.address + parentCounts.address + counts.size }
  }

  fileprivate enum Obstacle {
    /// A bus without `ranges` has no way through.
    case noRanges
    case malformed(DeviceTreeContentError)
  }

  private func addressSpace(under bus: NodeID) throws(DeviceTreeContentError) -> AddressSpace {
    var space = AddressSpace(counts: try cellCounts(of: bus))
    var current = bus
    while let parent = parent(of: current) {
      guard let ranges = property("ranges", of: current) else {
        space.obstacle = .noRanges
        return space
      }
      // Empty, it changes nothing.
      if !ranges.bytes.isEmpty {
        do throws(DeviceTreeContentError) {
          let translation = Translation(
            bus: current, ranges: ranges, counts: try cellCounts(of: current),
            parentCounts: try cellCounts(of: parent))
          let size = translation.entrySize
          guard ranges.bytes.count % 4 == 0, size > 0, ranges.cellCount % size == 0 else {
            throw .malformedProperty("ranges", node: current)
          }
          space.translations.append(translation)
        } catch {
          space.obstacle = .malformed(error)
          return space
        }
      }
      current = parent
    }
    return space
  }

  /// As `physicalRanges(of:)`, for one of several children of a bus, which have the limit together.
  ///
  /// - Parameter space: of that bus; nil until it is needed.
  func physicalRanges(
    of node: NodeID, in space: inout AddressSpace?, counting looks: inout Int
  ) throws(DeviceTreeContentError) -> [PhysicalRange] {
    guard let value = property("reg", of: node) else { return [] }
    guard let parent = parent(of: node) else { throw .malformedProperty("reg", node: node) }
    let known: AddressSpace
    if let space { known = space } else { known = try addressSpace(under: parent) }
    space = known
    var registers = try registers(in: value, of: node, known.counts)
    if registers.isEmpty { return [] }
    for translation in known.translations {
      try translate(&registers, by: translation, for: node, counting: &looks)
    }
    switch known.obstacle {
    case .noRanges: throw .notTranslatable(node: node)
    case .malformed(let error): throw error
    case nil: break
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

  /// From the addresses of a bus to those of the bus that it is on (Devicetree Specification v0.4, 2.3.8).
  private func translate(
    _ registers: inout [Register], by translation: Translation, for node: NodeID,
    counting looks: inout Int
  ) throws(DeviceTreeContentError) {
    let (ranges, entrySize) = (translation.ranges, translation.entrySize)
    let (counts, parentCounts) = (translation.counts, translation.parentCounts)
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
        guard !overflow else { throw .malformedProperty("ranges", node: translation.bus) }
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
