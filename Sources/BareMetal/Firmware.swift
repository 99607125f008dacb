import ArmTranslation
import CBareMetal
import CBatonArm64
import KexecRelocation

/// The firmware's power interface (PSCI, Arm DEN 0022).
public enum Firmware {
  /// Resets the machine; halts this CPU where there is no conduit or the call comes back.
  public static func reset(through conduit: Lifeline.Conduit) -> Never {
    // At EL2 the conduit can only be SMC: an HVC would come back to our own vectors.
    let isEL2 = Processor.regime != .el1
    switch isEL2 && conduit == .hvc ? .smc : conduit {
    case .none: break
    case .smc: _ = baton_smc(UInt64(BATON_PSCI_SYSTEM_RESET))
    case .hvc: _ = baton_hvc(UInt64(BATON_PSCI_SYSTEM_RESET))
    }
    baton_halt()
  }

  /// Leaves the conduit where an exception during reporting finds it without reading memory.
  public static func remember(_ conduit: Lifeline.Conduit) {
    baton_write_tpidr_el0(UInt64(conduit.encodedValue))
  }
}

extension Lifeline.Conduit {
  fileprivate var encodedValue: Int32 {
    switch self {
    case .none: BATON_PSCI_NONE
    case .smc: BATON_PSCI_SMC
    case .hvc: BATON_PSCI_HVC
    }
  }
}
