import CBareMetal
import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// The serial port, by polling. A console that does not take a byte in time is given up: a machine
/// must not hang because its UART does.
public struct Console {
  private let base: UInt64
  private var works: Bool

  public init(_ console: Lifeline.Console) {
    switch console {
    case .none:
      base = 0
      works = false
    case .pl011(let address):
      base = address.rawValue
      works = true
    }
  }

  public mutating func write(_ text: StaticString) {
    // Sound: a static string's UTF-8 lies in the stage's constants for ever.
    for index in 0..<text.utf8CodeUnitCount {
      write(unsafe text.utf8Start[index])
    }
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
    // A full FIFO of a slow line takes longer than a byte.
    wait(until: PL011.Flags.busy, fractionOfSecond: 10)
  }

  private mutating func write(_ byte: UInt8) {
    wait(until: PL011.Flags.transmitFIFOFull, fractionOfSecond: 50)
    guard works else { return }
    baton_mmio_write32(base + PL011.dataRegister, UInt32(byte))
  }

  /// Waits until `flag` is clear, for at most this part of a second by the architectural counter,
  /// and for a number of reads that takes at least as long where firmware has not said how fast
  /// that counter runs.
  private mutating func wait(until flag: UInt32, fractionOfSecond: UInt64) {
    guard works else { return }
    let limit = baton_read_cntfrq_el0() / fractionOfSecond
    let start = baton_read_cntvct_el0()
    var reads: UInt32 = 0
    while baton_mmio_read32(base + PL011.flagRegister) & flag != 0 {
      reads += 1
      if reads > 1 << 20 || (limit != 0 && baton_read_cntvct_el0() &- start > limit) {
        works = false
        return
      }
    }
  }
}

/// Registers of the Arm PrimeCell UART (PL011, Arm DDI 0183), of which the SBSA generic UART is a
/// subset.
private enum PL011 {
  static let dataRegister: UInt64 = 0x00
  static let flagRegister: UInt64 = 0x18

  enum Flags {
    static let busy: UInt32 = 1 << 3
    static let transmitFIFOFull: UInt32 = 1 << 5
  }
}
