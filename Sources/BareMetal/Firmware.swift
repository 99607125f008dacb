import ArmTranslation
import CBareMetal
import CBatonArm64
import KexecRelocation

/// The firmware's power interface (PSCI, Arm DEN 0022).
public enum Firmware {
  /// Resets the machine; halts this CPU where there is no conduit or the call comes back.
  public static func reset(through conduit: Lifeline.Conduit) -> Never {
    if conduit != .none { _ = call(UInt64(BATON_PSCI_SYSTEM_RESET), 0, 0, 0, through: conduit) }
    baton_halt()
  }

  /// Calls `function` with three arguments, through a conduit that there is.
  static func call(
    _ function: UInt64, _ first: UInt64, _ second: UInt64, _ third: UInt64,
    through conduit: Lifeline.Conduit
  ) -> UInt64 {
    usesHVC(conduit)
      ? baton_hvc(function, first, second, third) : baton_smc(function, first, second, third)
  }

  /// At EL2 the conduit can only be SMC: an HVC would come back to our own vectors.
  static func usesHVC(_ conduit: Lifeline.Conduit) -> Bool {
    conduit == .hvc && Processor.regime == .el1
  }

  /// Leaves the conduit where an exception during reporting finds it without reading memory.
  public static func remember(_ conduit: Lifeline.Conduit) {
    baton_write_tpidr_el0(UInt64(conduit.encodedValue))
  }
}

extension Lifeline.Conduit {
  var encodedValue: Int32 {
    switch self {
    case .none: BATON_PSCI_NONE
    case .smc: BATON_PSCI_SMC
    case .hvc: BATON_PSCI_HVC
    }
  }
}
