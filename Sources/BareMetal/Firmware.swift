import CBareMetal
import CBatonArm64
import KexecRelocation

/// The firmware's power interface (PSCI, Arm DEN 0022).
public enum Firmware {
  private static let systemReset: UInt64 = 0x8400_0009

  /// Resets the machine; halts this CPU where there is no conduit or the call comes back.
  public static func reset(through conduit: Lifeline.Conduit) -> Never {
    switch conduit {
    case .none: break
    case .smc: _ = baton_smc(systemReset)
    case .hvc: _ = baton_hvc(systemReset)
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
