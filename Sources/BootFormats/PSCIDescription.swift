/// How the firmware's Power State Coordination Interface is called (Arm DEN 0022; Linux
/// Documentation/devicetree/bindings/arm/psci.yaml).
public struct PSCIDescription: Sendable, Hashable {
  /// The instruction that enters the firmware from EL1. From EL2 it is always SMC.
  public enum Conduit: Sendable, Hashable {
    case smc
    case hvc
  }

  public let conduit: Conduit

  public init(conduit: Conduit) {
    self.conduit = conduit
  }
}

extension DeviceTree {
  /// The interface of PSCI 0.2 and later, or nil where the tree has none. Version 0.1 has no
  /// SYSTEM_RESET and counts as none.
  public func psci() throws(DeviceTreeContentError) -> PSCIDescription? {
    guard let node = nodes(compatibleWith: "arm,psci-1.0", "arm,psci-0.2").first else {
      return nil
    }
    guard let method = property("method", of: node) else {
      throw .malformedProperty("method", node: node)
    }
    if method.contains("smc") { return PSCIDescription(conduit: .smc) }
    if method.contains("hvc") { return PSCIDescription(conduit: .hvc) }
    throw .malformedProperty("method", node: node)
  }
}
