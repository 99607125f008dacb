import PhysicalMemory

/// A device tree (Devicetree Specification v0.4) as something that can be looked into and edited.
///
/// Nodes lie in one array and are named by `NodeID`; names and values are kept as the bytes that
/// they were. What is not edited is written as it was read: order, duplicates and odd names
/// included. Only NOPs and unused strings go.
public struct DeviceTree: Sendable {
  /// A node of one tree. It stays what it is while the tree is edited; after the node was removed,
  /// it names a node that is not in the tree. It means nothing in another tree.
  public struct NodeID: Sendable, Hashable {
    let index: Int
  }

  struct Node: Sendable {
    /// With the unit address: "uart@9000000". The root's is empty.
    var name: [UInt8]
    var parent: NodeID?
    var properties: [Property] = []
    var children: [NodeID] = []
  }

  /// Deeper nesting is refused, as Linux does.
  public static var depthLimit: Int { FlattenedTree.depthLimit }

  /// Every node that ever was in the tree; the root is the first.
  var nodes: [Node]
  /// The memory reservation block: ranges that the next program must not use.
  public var reservations: [PhysicalRange]
  /// The physical ID of the CPU that boots (boot_cpuid_phys).
  public var bootCPU: UInt32

  /// A tree of an empty root.
  public init() {
    nodes = [Node(name: [], parent: nil)]
    reservations = []
    bootCPU = 0
  }

  public var root: NodeID { NodeID(index: 0) }

  public func parent(of node: NodeID) -> NodeID? {
    nodes[node.index].parent
  }

  public func children(of node: NodeID) -> [NodeID] {
    nodes[node.index].children
  }

  /// The node's name with its unit address, as UTF-8 repaired where it is not.
  public func name(of node: NodeID) -> String {
    String(decoding: nodes[node.index].name, as: UTF8.self)
  }

  public func properties(of node: NodeID) -> [Property] {
    nodes[node.index].properties
  }

  /// The value of the node's first property of that name, or nil where it has none.
  public func property(_ name: String, of node: NodeID) -> PropertyValue? {
    for property in nodes[node.index].properties where property.name.isText(name) {
      return property.value
    }
    return nil
  }

  public func hasProperty(_ name: String, of node: NodeID) -> Bool {
    property(name, of: node) != nil
  }

  /// The node's path, "/" for the root.
  public func path(of node: NodeID) -> String {
    var parts: [[UInt8]] = []
    var current = node
    while let parent = parent(of: current) {
      parts.append(nodes[current.index].name)
      current = parent
    }
    guard !parts.isEmpty else { return "/" }
    var path: [UInt8] = []
    for part in parts.reversed() {
      path.append(0x2f)
      path.append(contentsOf: part)
    }
    return String(decoding: path, as: UTF8.self)
  }

  /// All nodes of the tree, each before its children, in the blob's order.
  public var allNodes: [NodeID] {
    var found: [NodeID] = []
    found.reserveCapacity(nodes.count)
    var waiting = [root]
    while let node = waiting.popLast() {
      found.append(node)
      waiting.append(contentsOf: children(of: node).reversed())
    }
    return found
  }
}

extension [UInt8] {
  /// Whether the bytes are `text`'s, without asking Unicode whether others mean the same.
  func isText(_ text: String) -> Bool {
    elementsEqual(text.utf8)
  }
}
