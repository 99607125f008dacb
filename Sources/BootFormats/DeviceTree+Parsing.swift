import PhysicalMemory

extension DeviceTree {
  /// Reads a flattened tree. `blob` may be longer than the tree; it need not be aligned.
  ///
  /// Linear in the blob's size.
  public init(parsing blob: RawSpan) throws(DeviceTreeError) {
    let flat = try FlattenedTree(header: blob)
    let tree = blob.extracting(first: flat.totalSize)

    self.init()
    bootCPU = flat.bootCPU
    reservations = try Self.parseReservations(tree, offset: flat.reservationsOffset)
    try parseStructure(flat, in: tree)
  }

  private static func parseReservations(
    _ tree: RawSpan, offset: UInt32
  ) throws(DeviceTreeError) -> [PhysicalRange] {
    _ = try FlattenedTree.block(.reservations, offset: offset, size: 16, of: tree.byteCount)
    guard offset % 8 == 0 else { throw .misaligned(.reservations, offset: offset) }
    var result: [PhysicalRange] = []
    var position = Int(offset)
    while true {
      guard let address = tree.bigEndian(UInt64.self, at: position),
        let size = tree.bigEndian(UInt64.self, at: position + 8)
      else { throw .unterminatedReservations(offset: position) }
      if address == 0, size == 0 { return result }
      guard let range = PhysicalRange(start: PhysicalAddress(address), size: size) else {
        throw .reservationWraps(offset: position)
      }
      result.append(range)
      position += 16
    }
  }

  private mutating func parseStructure(
    _ flat: FlattenedTree, in tree: RawSpan
  ) throws(DeviceTreeError) {
    var cursor = FlattenedTree.Cursor(flat)
    var open: [NodeID] = []
    while true {
      switch try cursor.next(flat, in: tree) {
      case .beginNode(let name):
        if let parent = open.last {
          let node = NodeID(index: nodes.count)
          nodes.append(Node(name: tree.copy(name), parent: parent))
          nodes[parent.index].children.append(node)
          open.append(node)
        } else {
          nodes[root.index].name = tree.copy(name)
          open.append(root)
        }
      case .endNode:
        open.removeLast()
      case .property(let name, let value):
        // The cursor lets properties stand in nodes only.
        guard let node = open.last else { continue }
        nodes[node.index].properties.append(
          Property(name: tree.copy(name), value: PropertyValue(bytes: tree.copy(value))))
      case .end:
        return
      }
    }
  }
}
