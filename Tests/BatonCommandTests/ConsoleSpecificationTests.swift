import HardwareDescription
import KexecRelocation
import PhysicalMemory
import Testing

@testable import BatonCommand

@Suite("--console")
struct ConsoleSpecificationTests {
  private let base = PhysicalAddress(0x900_0000)

  private func console(_ text: String) -> Lifeline.Console? {
    ConsoleSpecification(parsing: text.utf8)?.console
  }

  @Test("Each kind is understood, addresses in either notation")
  func kinds() {
    #expect(console("none") == Lifeline.Console.none)
    #expect(console("pl011,0x9000000") == .pl011(base))
    #expect(console("pl011,150994944") == .pl011(base))
    #expect(console("8250,0x9000000") == .ns16550(base, shift: 0, width: .byte))
    #expect(console("8250,0x9000000,1,2") == .ns16550(base, shift: 1, width: .halfword))
    #expect(console("8250,0x9000000,2,4") == .ns16550(base, shift: 2, width: .word))
    #expect(console("8250,0x9000000,2,1") == .ns16550(base, shift: 2, width: .byte))
  }

  @Test("What is no console is refused")
  func refused() {
    let texts = [
      "", "none,", "none,0x9000000", "pl011", "pl011,", "pl011,0x", "pl011,9000000h",
      "pl011,0x9000000,2,4", "PL011,0x9000000", "uart,0x9000000", "8250,0x9000000,2",
      "8250,0x9000000,2,3", "8250,0x9000000,9,1", "8250,0x9000000,0,4", "8250,0x9000000,2,4,1",
      "pl011,0x9000001", "pl011,0xffffffffffff0000", "pl011,0x10000000000000000",
      "pl011,0x1000000000000", "pl011,0xfffffffff800", "8250,0xfffffffffffc,0,1", "pl011,-1",
      "pl011,+0x9000000", "pl011,18446744073709551620",
    ]
    for text in texts { #expect(console(text) == nil, "\(text)") }
  }

  @Test("The highest registers are those that end at 2^48")
  func highest() {
    #expect(console("pl011,0xfffffffff000") == .pl011(PhysicalAddress(0xffff_ffff_f000)))
    #expect(
      console("8250,0xfffffffffff8")
        == .ns16550(PhysicalAddress(0xffff_ffff_fff8), shift: 0, width: .byte))
  }

  @Test("It is an option of --load")
  func option() throws {
    let invocation = try Invocation(parsing: ["-l", "Image", "--console=none"])
    #expect(invocation.console?.console == Lifeline.Console.none)
    #expect(throws: UsageError.badValue(option: "--console", value: "vga")) {
      try Invocation(parsing: ["-l", "Image", "--console=vga"])
    }
    #expect(throws: UsageError.onlyWithLoad("--console")) {
      try Invocation(parsing: ["-e", "--console=none"])
    }
  }
}
