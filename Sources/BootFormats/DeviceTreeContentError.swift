/// Why something cannot be had from a tree that was read.
public enum DeviceTreeContentError: Error, Sendable, Hashable {
  /// The value of `property` has not the form that its meaning asks for.
  case malformedProperty(_ property: String, node: DeviceTree.NodeID)
  /// The node's addresses have no address in the CPU's own space: a bus above it does not say how
  /// to translate them.
  case notTranslatable(node: DeviceTree.NodeID)
  /// Translating its addresses, or those of all children of its bus together, takes more looks at the
  /// `ranges` above than any machine's would (`DeviceTree.translationLimit`).
  case tooManyRanges(node: DeviceTree.NodeID)
}
