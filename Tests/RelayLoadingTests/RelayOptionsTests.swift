import KexecRelocation
import PhysicalMemory
import Testing

@testable import RelayLoading

@Suite("relay's command line")
struct RelayOptionsTests {
  private func parse(_ text: String) throws(RelayOptions.Malformed) -> RelayOptions {
    try RelayOptions(parsing: Array(text.utf8))
  }

  @Test("Every option is understood; what is not relay's is the next kernel's")
  func options() throws {
    let options = try parse(
      "console=ttyAMA0  relay.boot=contiguous relay.level=drop relay.granule=64k quiet "
        + "relay.layout=typical relay.console=8250,0x1000,2,4 relay.on-failure=halt")
    #expect(options.action == .boot(.contiguous))
    #expect(options.level == .drop)
    #expect(options.granule == .size64K)
    #expect(options.layout == .typical)
    #expect(options.console == .ns16550(PhysicalAddress(0x1000), shift: 2, width: .word))
    #expect(options.haltsOnFailure)
    #expect(options.nextCommandLine == Array("console=ttyAMA0 quiet".utf8))
    #expect(try parse("").action == .describe)
    #expect(try parse("relay.bench").action == .bench([25, 120, 380]))
    #expect(try parse("relay.bench=1,2").action == .bench([1, 2]))
    #expect(try parse("relay.hibernate").action == .hibernate(64))
    #expect(try parse("relay.hibernate=100").action == .hibernate(100))
  }

  @Test(
    "What is not understood is named",
    arguments: [
      ("relay.", "relay. is no option of relay's"),
      ("relay.bott=off", "relay.bott is no option of relay's"),
      ("relay.boot", "relay.boot= is not understood"),
      ("relay.boot=fast", "relay.boot=fast is not understood"),
      ("relay.boot=offf", "relay.boot=offf is not understood"),
      ("relay.bench=", "relay.bench= is not understood"),
      ("relay.bench=1,,2", "relay.bench=1,,2 is not understood"),
      ("relay.bench=0", "relay.bench=0 is not understood"),
      ("relay.hibernate=9999999999", "relay.hibernate=9999999999 is not understood"),
      ("relay.level=el3", "relay.level=el3 is not understood"),
      ("relay.granule=8k", "relay.granule=8k is not understood"),
      ("relay.console=vga", "relay.console=vga is not understood"),
      ("relay.on-failure=\u{7}", "relay.on-failure=? is not understood"),
      (
        "relay.boot=off relay.bench",
        "relay.boot, relay.bench and relay.hibernate exclude each other"
      ),
    ])
  func malformed(_ text: String, _ sentence: String) {
    do throws(RelayOptions.Malformed) {
      _ = try parse(text)
      Issue.record("accepted")
    } catch {
      #expect(error.sentence == sentence)
    }
  }
}
