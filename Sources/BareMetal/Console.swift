import CBareMetal
import KexecRelocation
import PhysicalMemory

/// The serial port, by polling. A console that does not take a byte in time is given up: a machine
/// must not hang because its UART does.
public struct Console {
  private enum Port {
    case none
    case pl011(PL011)
    case ns16550(NS16550)
  }

  /// `.none` also where the port was given up.
  private var port: Port

  public init(_ console: Lifeline.Console) {
    switch console {
    case .none: port = .none
    case .pl011(let base), .sbsaUART(let base): port = .pl011(PL011(base: base.rawValue))
    case .ns16550(let base, let shift, let width):
      port = .ns16550(NS16550(base: base.rawValue, shift: shift, width: width))
    }
  }

  public mutating func write(_ text: StaticString) {
    // Sound: a static string's UTF-8 lies in the stage's constants for ever.
    for index in 0..<text.utf8CodeUnitCount {
      write(unsafe text.utf8Start[index])
    }
  }

  /// Writes `bytes` as they are.
  public mutating func write(bytes: some Sequence<UInt8>) {
    for byte in bytes { write(byte) }
  }

  public mutating func write(decimal value: UInt64) {
    var divisor: UInt64 = 1
    while value / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      write(UInt8(truncatingIfNeeded: UInt64(0x30) + value / divisor % 10))
      divisor /= 10
    }
  }

  /// Writes `value` as 0x and as many digits as it has.
  public mutating func write(hexadecimal value: UInt64) {
    write("0x")
    var shift: UInt64 = 60
    while shift > 0, value >> shift == 0 { shift -= 4 }
    while true {
      let digit = UInt8(truncatingIfNeeded: value >> shift & 15)
      write(digit < 10 ? 0x30 + digit : 0x57 + digit)
      if shift == 0 { return }
      shift -= 4
    }
  }

  /// Ends the line and waits until it has left the port, so that a reset does not cut it off.
  public mutating func endLine() {
    write("\r\n")
    wait(until: .drained)
  }

  private mutating func write(_ byte: UInt8) {
    wait(until: .roomy)
    switch port {
    case .none: break
    case .pl011(let port): port.send(byte)
    case .ns16550(let port): port.send(byte)
    }
  }

  private enum State {
    /// The port takes a byte.
    case roomy
    /// All bytes have left.
    case drained
  }

  private func isReached(_ state: State) -> Bool {
    switch (port, state) {
    case (.none, _): true
    case (.pl011(let port), .roomy): port.hasRoom
    case (.pl011(let port), .drained): port.isDrained
    case (.ns16550(let port), .roomy): port.hasRoom
    case (.ns16550(let port), .drained): port.isDrained
    }
  }

  private mutating func wait(until state: State) {
    // A byte's turn; or a full FIFO's on a slow line.
    var deadline = Deadline(milliseconds: state == .roomy ? 20 : 100)
    while !isReached(state) {
      if deadline.hasPassed() {
        port = .none
        return
      }
    }
  }
}
