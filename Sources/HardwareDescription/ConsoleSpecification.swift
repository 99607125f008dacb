import KexecRelocation
import PhysicalMemory

/// A console as people name it, on baton's and on relay's command line: `none`, or a kind of UART and where it is.
///
///     pl011,0x9000000           PL011, or an SBSA UART
///     8250,0x9000000            registers one byte apart, accessed by bytes
///     8250,0x9000000,2,4        register n at n << 2, accessed by words of 4 bytes
public struct ConsoleSpecification: Hashable, Sendable {
  public let console: Lifeline.Console

  /// Understands `text`, or nil where it is no such specification.
  public init?(parsing text: some Collection<UInt8>) {
    let fields = text.split(separator: 0x2C, omittingEmptySubsequences: false)
      .map { Array($0) }
    if fields == [Array("none".utf8)] {
      console = .none
      return
    }
    guard fields.count >= 2, let address = Self.number(fields[1]), address & 3 == 0 else {
      return nil
    }
    let base = PhysicalAddress(address)
    switch fields[0] {
    case Array("pl011".utf8):
      guard fields.count == 2 else { return nil }
      console = .pl011(base)
    case Array("8250".utf8):
      guard fields.count == 2 || fields.count == 4 else { return nil }
      let shift = fields.count == 4 ? Self.number(fields[2]) : 0
      let width = fields.count == 4 ? Self.number(fields[3]) : 1
      guard let shift, shift <= UInt64(Lifeline.Console.maximumShift),
        let width, width <= 4, width <= 1 << shift,
        let access = Lifeline.Console.AccessWidth(rawValue: Int(width))
      else { return nil }
      console = .ns16550(base, shift: Int(shift), width: access)
    default: return nil
    }
    // Beyond it the stage's tables do not reach.
    guard let registers = console.registers, registers.end.rawValue <= 1 << 48 else { return nil }
  }

  /// A number as C writes it: decimal, or hexadecimal behind 0x.
  private static func number(_ text: [UInt8]) -> UInt64? {
    let isHexadecimal = text.starts(with: Array("0x".utf8))
    let digits = isHexadecimal ? text[2...] : text[...]
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for digit in digits {
      let number: UInt64
      switch digit {
      case 0x30...0x39: number = UInt64(digit) - 0x30
      case 0x41...0x46 where isHexadecimal: number = UInt64(digit) - 0x37
      case 0x61...0x66 where isHexadecimal: number = UInt64(digit) - 0x57
      default: return nil
      }
      let (shifted, overflow) = value.multipliedReportingOverflow(by: isHexadecimal ? 16 : 10)
      let (sum, carry) = shifted.addingReportingOverflow(number)
      guard !overflow, !carry else { return nil }
      value = sum
    }
    return value
  }
}
