extension DeviceTree {
  /// Gives the node's first property of that name the value, or adds one as the last.
  public mutating func setProperty(_ name: String, of node: NodeID, to value: PropertyValue) {
    for index in nodes[node.index].properties.indices
    where nodes[node.index].properties[index].name.isText(name) {
      nodes[node.index].properties[index].value = value
      return
    }
    nodes[node.index].properties.append(Property(name: [UInt8](name.utf8), value: value))
  }

  /// Removes every property of that name from the node.
  public mutating func removeProperty(_ name: String, of node: NodeID) {
    nodes[node.index].properties.removeAll { $0.name.isText(name) }
  }

  /// Adds an empty node as the last child of `parent`; `name` is with its unit address.
  @discardableResult
  public mutating func addNode(_ name: String, under parent: NodeID) -> NodeID {
    let node = NodeID(index: nodes.count)
    nodes.append(Node(name: [UInt8](name.utf8), parent: parent))
    nodes[parent.index].children.append(node)
    return node
  }

  /// Takes the node and all below it out of the tree.
  ///
  /// - Precondition: it is not the root.
  public mutating func removeNode(_ node: NodeID) {
    guard let parent = nodes[node.index].parent else {
      preconditionFailure("the root cannot be removed")
    }
    nodes[parent.index].children.removeAll { $0 == node }
  }
}
