import PhysicalMemory

extension DeviceTree {
  /// The flattened tree, version 17, compatible down to 16.
  ///
  /// `room` bytes of zeros follow the strings and are counted in totalsize: for whoever edits the
  /// blob in place. The blob's length is a multiple of 8; it must be put at a multiple of 8.
  ///
  /// Linear in the tree's size.
  public func serialized(room: Int = 0) throws(DeviceTreeError) -> [UInt8] {
    var structure: [UInt8] = []
    var strings: [UInt8] = []
    // In ascending order of names. No dictionary: bare metal has neither random seeds nor floating
    // point for one.
    var known: [(name: [UInt8], offset: UInt32)] = []

    /// The property's name in the strings block; each is there once.
    func offset(of name: [UInt8]) -> UInt32 {
      var lower = 0
      var upper = known.count
      while lower < upper {
        let middle = (lower + upper) / 2
        if known[middle].name.lexicographicallyPrecedes(name) {
          lower = middle + 1
        } else {
          upper = middle
        }
      }
      if lower < known.count, known[lower].name == name { return known[lower].offset }
      let offset = UInt32(truncatingIfNeeded: strings.count)
      known.insert((name, offset), at: lower)
      strings.append(contentsOf: name)
      strings.append(0)
      return offset
    }

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
          structure.append(bigEndian: offset(of: property.name))
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
}
