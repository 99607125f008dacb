import BareMetal
import CBareMetal
import CBatonArm64
import CRelay
import KexecRelocation

/// How to report and to reset; without console and conduit before the tree was read.
var lifeline: Lifeline {
  get {
    // Sound: one CPU, and no interrupts.
    Lifeline(unsafe relay_lifeline().pointee) ?? Lifeline(console: .none, conduit: .none)
  }
  set {
    unsafe relay_lifeline().pointee = newValue.encoded
    Firmware.remember(newValue.conduit)
  }
}

/// Prints a line that begins with relay's name.
func say(_ text: String) {
  var console = Console(lifeline.console)
  console.write("relay: ")
  console.write(bytes: text.utf8)
  console.endLine()
}

/// Says what is wrong, and resets, or halts where the command line says so.
func fail(_ text: String) -> Never {
  var console = Console(lifeline.console)
  console.write("relay: ")
  console.write(bytes: text.utf8)
  end(&console)
}

/// Ends the line and the program.
func end(_ console: inout Console) -> Never {
  console.write(lifeline.haltsOnFailure ? "; halting" : "; resetting")
  console.endLine()
  if lifeline.haltsOnFailure { baton_halt() }
  Firmware.reset(through: lifeline.conduit)
}

/// From exceptions.S, on a stack of its own.
@c(stage_exception)
@used
func relayException(vector: UInt64, syndrome: UInt64, link: UInt64, fault: UInt64) -> Never {
  var console = Console(lifeline.console)
  console.write("relay: exception: ")
  console.write(Exception.name(vector: vector, syndrome: syndrome))
  console.write(" at ")
  console.write(hexadecimal: link)
  console.write(" (relay + ")
  console.write(hexadecimal: link &- relay_base())
  console.write("), ESR ")
  console.write(hexadecimal: syndrome)
  console.write(", FAR ")
  console.write(hexadecimal: fault)
  end(&console)
}

extension UInt64 {
  /// As 0x and hexadecimal digits.
  var hex: String { "0x" + String(self, radix: 16) }
}
