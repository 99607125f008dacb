extension DeviceTree {
  /// The node at `path`: absolute ("/soc/uart@9000000"), or beginning with an alias
  /// ("serial0", "soc/uart@9000000"). A part without unit address matches the first node of that
  /// name, whatever its unit address (Devicetree Specification v0.4, 2.2.1.1 and 3.3).
  public func node(at path: String) -> NodeID? {
    node(at: [UInt8](path.utf8)[...])
  }

  func node(at path: ArraySlice<UInt8>) -> NodeID? {
    guard let first = path.first else { return nil }
    guard first != slash else { return descend(from: root, along: path) }
    let alias = path.prefix { $0 != slash }
    guard let target = aliasTarget(alias) else { return nil }
    return descend(from: target, along: path[alias.endIndex...])
  }

  /// The first child of `node` whose name is `name`, or, where `name` has no unit address, whose
  /// name without one is.
  public func child(_ name: String, of node: NodeID) -> NodeID? {
    child([UInt8](name.utf8)[...], of: node)
  }

  /// The node that the alias names, whose value is always an absolute path.
  private func aliasTarget(_ alias: ArraySlice<UInt8>) -> NodeID? {
    guard let aliases = child("aliases", of: root) else { return nil }
    for property in nodes[aliases.index].properties where property.name.elementsEqual(alias) {
      let value = property.value.bytes
      guard value.first == slash, value.last == 0 else { return nil }
      return descend(from: root, along: value.dropLast())
    }
    return nil
  }

  private func descend(from start: NodeID, along path: ArraySlice<UInt8>) -> NodeID? {
    var node = start
    for part in path.split(separator: slash) {
      guard let next = child(part, of: node) else { return nil }
      node = next
    }
    return node
  }

  private func child(_ name: ArraySlice<UInt8>, of node: NodeID) -> NodeID? {
    let hasUnitAddress = name.contains(at)
    for child in nodes[node.index].children {
      let childName = nodes[child.index].name
      if childName.elementsEqual(name) { return child }
      if !hasUnitAddress, childName.prefix(while: { $0 != at }).elementsEqual(name),
        childName.count > name.count
      {
        return child
      }
    }
    return nil
  }

  /// The node whose `phandle` (or the older `linux,phandle`) is `phandle`.
  public func node(phandle: UInt32) -> NodeID? {
    // Neither value can be a node's.
    guard phandle != 0, phandle != .max else { return nil }
    for node in allNodes {
      if property("phandle", of: node)?.u32 == phandle
        || property("linux,phandle", of: node)?.u32 == phandle
      {
        return node
      }
    }
    return nil
  }

  /// The nodes whose `compatible` has one of `names` in it, in the blob's order, without those that
  /// say that they are not there.
  public func nodes(compatibleWith names: String...) -> [NodeID] {
    allNodes.filter { node in
      guard let compatible = property("compatible", of: node), isAvailable(node) else {
        return false
      }
      for name in names where compatible.contains(name) { return true }
      return false
    }
  }

  public func isCompatible(_ node: NodeID, with name: String) -> Bool {
    property("compatible", of: node)?.contains(name) ?? false
  }

  /// Whether the node's `status` says that the device can be used: it is absent, "okay" or "ok".
  public func isAvailable(_ node: NodeID) -> Bool {
    guard let status = property("status", of: node) else { return true }
    return status.contains("okay") || status.contains("ok")
  }
}

private var slash: UInt8 { 0x2f }
private var at: UInt8 { 0x40 }
