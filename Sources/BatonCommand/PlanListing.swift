import KexecRelocation
import LinuxHost
import PhysicalMemory

/// The plan as people read it: what lies where, how it is entered, what is verified.
enum PlanListing {
  static func text(of plan: HandoffPlan, machine: Machine) -> String {
    var text = ""
    for segment in plan.segments {
      text += "  " + pad(String(segment.name), to: 10)
      text += pad(hexadecimal(segment.destination.start), to: 20)
      text += String(segment.size) + " bytes\n"
    }
    var verified: UInt64 = 0
    for piece in plan.pieces { verified += piece.range.size }
    text += "  verified  " + String(verified) + " bytes in " + String(plan.pieces.count)
    text += " pieces\n"
    text += "  entry " + hexadecimal(plan.entry) + " at " + level(machine.level)
    text += ", " + String(plan.layout.tableMemory.size / machine.granule.pageSize)
    text += " pages of translation tables, console "
    switch machine.lifeline.console {
    case .none: text += "none"
    case .pl011(let base): text += "pl011 at " + hexadecimal(base)
    case .ns16550(let base, let shift, let width):
      text += "8250 at " + hexadecimal(base) + ", register shift " + String(shift)
      text += ", access width " + String(width.rawValue)
    }
    text += ", PSCI by "
    switch machine.lifeline.conduit {
    case .none: text += "nothing"
    case .smc: text += "smc"
    case .hvc: text += "hvc"
    }
    return text + "\n"
  }

  private static func level(_ level: RunningLevel) -> String {
    switch level {
    case .el1: "EL1"
    case .el2: "EL2"
    case .el2Host: "EL2 with VHE"
    case .unknown: "EL1 or EL2"
    }
  }

  private static func hexadecimal(_ address: PhysicalAddress) -> String {
    let digits = String(address.rawValue, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, 12 - digits.utf8.count)) + digits
  }

  private static func pad(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.utf8.count))
  }
}
