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
    /// An Arm PrimeCell UART (PL011).
    case pl011(PhysicalAddress)
    /// The subset of it that the SBSA calls generic UART. To the stage both are one: it uses the two
    /// registers of the subset.
    case sbsaUART(PhysicalAddress)
    /// An 8250 or a descendant of it: register n lies at n << `shift` and is accessed with `width`
    /// bytes.
    case ns16550(PhysicalAddress, shift: Int, width: AccessWidth)

    /// The size of an access to a register, in bytes.
    public enum AccessWidth: Int, Hashable, Sendable {
      case byte = 1
      case halfword = 2
      case word = 4
    }

    /// The largest distance between two registers, as a power of two: what device trees know.
    public static let maximumShift = 8
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
    case UInt32(BATON_CONSOLE_NS16550):
      guard let width = Console.AccessWidth(rawValue: Int(encoded.console_width)),
        Int(encoded.console_shift) <= Console.maximumShift
      else { return nil }
      console = .ns16550(
        PhysicalAddress(encoded.console_base), shift: Int(encoded.console_shift), width: width)
    default: return nil
    }
    guard console == .none || console.registers != nil else { return nil }
    switch encoded.psci_conduit {
    case UInt32(BATON_PSCI_NONE): conduit = .none
    case UInt32(BATON_PSCI_SMC): conduit = .smc
    case UInt32(BATON_PSCI_HVC): conduit = .hvc
    default: return nil
    }
    haltsOnFailure = encoded.flags & UInt32(BATON_LIFELINE_HALT_ON_FAILURE) != 0
  }

  /// The copy as the stage reads it, to which an SBSA UART is a PL011.
  public var encoded: baton_lifeline {
    var result = baton_lifeline()
    switch console {
    case .none:
      result.console_kind = UInt32(BATON_CONSOLE_NONE)
    case .pl011(let base), .sbsaUART(let base):
      result.console_kind = UInt32(BATON_CONSOLE_PL011)
      result.console_base = base.rawValue
    case .ns16550(let base, let shift, let width):
      result.console_kind = UInt32(BATON_CONSOLE_NS16550)
      result.console_base = base.rawValue
      result.console_shift = UInt16(shift)
      result.console_width = UInt16(width.rawValue)
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
      UInt64(encoded.flags) | UInt64(encoded.console_shift) << 32
        | UInt64(encoded.console_width) << 48,
    ]
    return XXH64.hash(of: words.span)
  }
}

extension Lifeline.Console {
  /// The registers, or nil where there is no console or its registers would leave 64 bits.
  public var registers: PhysicalRange? {
    switch self {
    case .none: nil
    // A PL011 decodes 4 KiB (Arm DDI 0183, 3.2).
    case .pl011(let base), .sbsaUART(let base): PhysicalRange(start: base, size: 4096)
    case .ns16550(let base, let shift, _): PhysicalRange(start: base, size: 8 << UInt64(shift))
    }
  }
}
