/// The interrupt numbers of the Arm generic timer, as the interrupt controller counts them
/// (INTIDs: a private peripheral interrupt's number in the tree + 16).
///
/// Which of them the running kernel has in use tells the exception level at which it runs.
public struct ArmTimerInterrupts: Sendable, Hashable {
  public let securePhysical: UInt32?
  public let nonSecurePhysical: UInt32?
  public let virtual: UInt32?
  public let hypervisorPhysical: UInt32?
  public let hypervisorVirtual: UInt32?

  public init(
    securePhysical: UInt32?, nonSecurePhysical: UInt32?, virtual: UInt32?,
    hypervisorPhysical: UInt32?, hypervisorVirtual: UInt32? = nil
  ) {
    self.securePhysical = securePhysical
    self.nonSecurePhysical = nonSecurePhysical
    self.virtual = virtual
    self.hypervisorPhysical = hypervisorPhysical
    self.hypervisorVirtual = hypervisorVirtual
  }
}

extension DeviceTree {
  /// The interrupts of the `arm,armv8-timer` (or `arm,armv7-timer`) node, or nil where there is
  /// none (Linux Documentation/devicetree/bindings/timer/arm,arch_timer.yaml): by
  /// `interrupt-names` where it has them, else in the binding's order.
  public func armTimerInterrupts() throws(DeviceTreeContentError) -> ArmTimerInterrupts? {
    guard let timer = nodes(compatibleWith: "arm,armv8-timer", "arm,armv7-timer").first,
      let interrupts = property("interrupts", of: timer)
    else { return nil }
    let cellCount = try interruptCells(of: timer)
    guard interrupts.bytes.count % 4 == 0, interrupts.cellCount % cellCount == 0 else {
      throw .malformedProperty("interrupts", node: timer)
    }
    let names = property("interrupt-names", of: timer)?.strings

    func interrupt(_ name: String, _ position: Int) throws(DeviceTreeContentError) -> UInt32? {
      var index = position
      if let names {
        guard let named = names.firstIndex(where: { $0.utf8.elementsEqual(name.utf8) }) else {
          return nil
        }
        index = named
      }
      guard index < interrupts.cellCount / cellCount else { return nil }
      // Linux Documentation/devicetree/bindings/interrupt-controller/arm,gic-v3.yaml: the first
      // cell says which kind, the second counts from that kind's first INTID.
      let kind = interrupts.cell(index * cellCount)
      let first: UInt32? =
        switch kind {
        case 0: 32
        case 1: 16
        default: nil
        }
      let (number, overflow) = interrupts.cell(index * cellCount + 1)
        .addingReportingOverflow(first ?? 0)
      guard first != nil, !overflow else {
        throw .malformedProperty("interrupts", node: timer)
      }
      return number
    }

    return ArmTimerInterrupts(
      securePhysical: try interrupt("sec-phys", 0),
      nonSecurePhysical: try interrupt("phys", 1),
      virtual: try interrupt("virt", 2),
      hypervisorPhysical: try interrupt("hyp-phys", 3),
      hypervisorVirtual: try interrupt("hyp-virt", 4))
  }

  /// The number of cells that name an interrupt of the node: `#interrupt-cells` of its interrupt
  /// parent, which it or the nearest node above it names (Devicetree Specification v0.4, 2.4.1).
  private func interruptCells(of node: NodeID) throws(DeviceTreeContentError) -> Int {
    var holder: NodeID? = node
    while let current = holder {
      if let phandle = property("interrupt-parent", of: current) {
        guard let number = phandle.u32, let controller = self.node(phandle: number) else {
          throw .malformedProperty("interrupt-parent", node: current)
        }
        guard let count = property("#interrupt-cells", of: controller)?.u32, 2...8 ~= count else {
          throw .malformedProperty("#interrupt-cells", node: controller)
        }
        return Int(count)
      }
      holder = parent(of: current)
    }
    throw .malformedProperty("interrupt-parent", node: node)
  }
}
