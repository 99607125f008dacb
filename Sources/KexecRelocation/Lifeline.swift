import BootDigests
import CBatonArm64
import PhysicalMemory

/// What the stage needs to report a failure and to reset: console, firmware conduit, policy.
///
/// The stage holds two copies with a checksum each (`struct baton_lifeline`), one in its own first
/// page and one in the handoff block, so that damage to either still leads to a message.
public struct Lifeline: Hashable, Sendable {
  /// A console that the stage can drive.
  public enum Console: Hashable, Sendable {
    case none
    /// An Arm PrimeCell UART (PL011), or the subset of it that the SBSA calls generic UART.
    case pl011(PhysicalAddress)
  }

  /// How the firmware is called (PSCI, Arm DEN 0022; SMC Calling Convention, Arm DEN 0028).
  public enum Conduit: Hashable, Sendable {
    case none
    case smc
    case hvc
  }

  public var console: Console
  public var conduit: Conduit
  /// Stop where the failure happened instead of resetting.
  public var haltsOnFailure: Bool

  public init(console: Console, conduit: Conduit, haltsOnFailure: Bool = false) {
    self.console = console
    self.conduit = conduit
    self.haltsOnFailure = haltsOnFailure
  }

  /// Reads a copy, or nil where its checksum does not match or its values mean nothing.
  public init?(_ encoded: baton_lifeline) {
    guard encoded.checksum == Lifeline.checksum(of: encoded) else { return nil }
    switch encoded.console_kind {
    case UInt32(BATON_CONSOLE_NONE): console = .none
    case UInt32(BATON_CONSOLE_PL011): console = .pl011(PhysicalAddress(encoded.console_base))
    default: return nil
    }
    switch encoded.psci_conduit {
    case UInt32(BATON_PSCI_NONE): conduit = .none
    case UInt32(BATON_PSCI_SMC): conduit = .smc
    case UInt32(BATON_PSCI_HVC): conduit = .hvc
    default: return nil
    }
    haltsOnFailure = encoded.flags & UInt32(BATON_LIFELINE_HALT_ON_FAILURE) != 0
  }

  /// The copy as the stage reads it.
  public var encoded: baton_lifeline {
    var result = baton_lifeline()
    switch console {
    case .none:
      result.console_kind = UInt32(BATON_CONSOLE_NONE)
    case .pl011(let base):
      result.console_kind = UInt32(BATON_CONSOLE_PL011)
      result.console_base = base.rawValue
    }
    switch conduit {
    case .none: result.psci_conduit = UInt32(BATON_PSCI_NONE)
    case .smc: result.psci_conduit = UInt32(BATON_PSCI_SMC)
    case .hvc: result.psci_conduit = UInt32(BATON_PSCI_HVC)
    }
    result.flags = haltsOnFailure ? UInt32(BATON_LIFELINE_HALT_ON_FAILURE) : 0
    result.checksum = Lifeline.checksum(of: result)
    return result
  }

  /// XXH64 over all words but the checksum, which is the last.
  private static func checksum(of encoded: baton_lifeline) -> UInt64 {
    let words: InlineArray<3, UInt64> = [
      encoded.console_base,
      UInt64(encoded.console_kind) | UInt64(encoded.psci_conduit) << 32,
      UInt64(encoded.flags) | UInt64(encoded.reserved) << 32,
    ]
    return XXH64.hash(of: words.span)
  }
}
