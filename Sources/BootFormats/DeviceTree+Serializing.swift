import PhysicalMemory

extension DeviceTree {
  /// The flattened tree, version 17, compatible down to 16.
  ///
  /// `room` bytes of zeros follow the strings and are counted in totalsize: for whoever edits the
  /// blob in place. The blob's length is a multiple of 8; it must be put at a multiple of 8.
  ///
  /// Linear in the tree's size, but for the property names, which are sorted.
  public func serialized(room: Int = 0) throws(DeviceTreeError) -> [UInt8] {
    var structure: [UInt8] = []
    // Where in the structure a property's name is wanted, in the order of the tree.
    var uses: [(name: [UInt8], position: Int)] = []

    // Without recursion: how deep a tree is edited is not limited.
    enum Step {
      case begin(NodeID)
      case end
    }
    var steps = [Step.begin(root)]
    while let step = steps.popLast() {
      switch step {
      case .begin(let id):
        let node = nodes[id.index]
        structure.append(bigEndian: FlattenedTree.Token.beginNode)
        structure.append(contentsOf: node.name)
        structure.append(0)
        structure.pad(toMultipleOf: 4)
        for property in node.properties {
          structure.append(bigEndian: FlattenedTree.Token.property)
          structure.append(bigEndian: UInt32(truncatingIfNeeded: property.value.bytes.count))
          uses.append((property.name, structure.count))
          structure.append(bigEndian: 0 as UInt32)
          structure.append(contentsOf: property.value.bytes)
          structure.pad(toMultipleOf: 4)
        }
        steps.append(.end)
        for child in node.children.reversed() { steps.append(.begin(child)) }
      case .end:
        structure.append(bigEndian: FlattenedTree.Token.endNode)
      }
    }
    structure.append(bigEndian: FlattenedTree.Token.end)
    let strings = Self.placeNames(uses, in: &structure)

    let reservationsOffset = FlattenedTree.headerSize
    let structureOffset = reservationsOffset + 16 * (reservations.count + 1)
    let stringsOffset = structureOffset + structure.count
    let totalSize = (stringsOffset + strings.count + room + 7) & ~7
    // Every size and offset above is smaller than this one.
    guard let total = UInt32(exactly: totalSize) else { throw .tooLarge(size: totalSize) }

    var blob: [UInt8] = []
    blob.reserveCapacity(totalSize)
    blob.append(bigEndian: FlattenedTree.magic)
    blob.append(bigEndian: total)
    blob.append(bigEndian: UInt32(structureOffset))
    blob.append(bigEndian: UInt32(stringsOffset))
    blob.append(bigEndian: UInt32(reservationsOffset))
    blob.append(bigEndian: 17 as UInt32)
    blob.append(bigEndian: 16 as UInt32)
    blob.append(bigEndian: bootCPU)
    blob.append(bigEndian: UInt32(strings.count))
    blob.append(bigEndian: UInt32(structure.count))
    for range in reservations where range.start.rawValue != 0 || range.size != 0 {
      blob.append(bigEndian: range.start.rawValue)
      blob.append(bigEndian: range.size)
    }
    // The terminator, and the place of ranges that would have read as one.
    blob.append(contentsOf: repeatElement(0, count: structureOffset - blob.count))
    blob.append(contentsOf: structure)
    blob.append(contentsOf: strings)
    blob.append(contentsOf: repeatElement(0, count: totalSize - blob.count))
    return blob
  }

  /// Writes the offset of each name into `structure` where it is wanted; returns the strings block,
  /// in which each name is once, in the order in which the tree first names it.
  private static func placeNames(
    _ uses: [(name: [UInt8], position: Int)], in structure: inout [UInt8]
  ) -> [UInt8] {
    // No dictionary: bare metal has neither random seeds nor floating point for one.
    let sorted = uses.indices.sorted { left, right in
      let (leftName, rightName) = (uses[left].name, uses[right].name)
      return leftName == rightName ? left < right : leftName.lexicographicallyPrecedes(rightName)
    }
    // For each use the first one of the same name.
    var first = [Int](repeating: 0, count: uses.count)
    for (place, use) in sorted.enumerated() {
      let isRepeated = place > 0 && uses[sorted[place - 1]].name == uses[use].name
      first[use] = isRepeated ? first[sorted[place - 1]] : use
    }
    var strings: [UInt8] = []
    var offsets = [UInt32](repeating: 0, count: uses.count)
    for use in uses.indices {
      if first[use] == use {
        offsets[use] = UInt32(truncatingIfNeeded: strings.count)
        strings.append(contentsOf: uses[use].name)
        strings.append(0)
      } else {
        offsets[use] = offsets[first[use]]
      }
      structure.replace(bigEndian: offsets[use], at: uses[use].position)
    }
    return strings
  }
}
