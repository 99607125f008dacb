import Testing

@testable import Lab

@Suite struct EventLogTests {
  /// A log in which `text` is written to the console, one instruction a byte.
  static func uart(_ text: String, from instructions: UInt64) -> String {
    var lines = ""
    for (index, byte) in text.utf8.enumerated() {
      let count = instructions + UInt64(index)
      lines += "uart \(count) 0 \(count) 7 \(String(byte, radix: 16))\n"
    }
    return lines
  }

  @Test func aTextIsFoundByItsFirstAndItsLastByte() throws {
    let log = try EventLog(Self.uart("..Bye!\r\n", from: 100))
    let bye = try #require(log.occurrence(of: "Bye!"))
    #expect(log.events[bye.first].instructions == 102)
    #expect(log.events[bye.last].instructions == 105)
    #expect(log.occurrence(of: "Bye!", from: bye.last) == nil)
    #expect(log.occurrence(of: "Hello") == nil)
  }

  @Test func aTextIsFoundAcrossOtherEvents() throws {
    let log = try EventLog(
      Self.uart("By", from: 1) + "sctlr 5 0 5 7 2 40dcb0f0 30c50830\n" + Self.uart("e!", from: 6))
    #expect(log.occurrence(of: "Bye!")?.last == 4)
    #expect(log.events[2].kind == .sctlr(value: 0x30c5_0830))
    #expect(log.events[2].switchesTranslation == .off)
    #expect(log.events[2].level == 2)
    #expect(log.events[2].pc == 0x40dc_b0f0)
  }

  @Test func everyKindOfEventIsRead() throws {
    let log = try EventLog(
      """
      kernel 7 0 7 2 2 40200000
      stage 9 0 8 3 1 48000000
      code 10 1 8 3 1 48000000 16
      uart 11 0 9 4 0a

      """)
    #expect(
      log.events.map(\.kind) == [
        .kernelEntry, .stageEntry, .stageCode(size: 16), .uart(10),
      ])
    #expect(log.events.map(\.level) == [2, 1, 1, 0])
    #expect(log.events.map(\.uncachedAccesses) == [2, 3, 3, 4])
  }

  @Test func aLineThatWasNotFinishedIsLeftOut() throws {
    let log = try EventLog("uart 11 0 9 4 0a\nuart 12 0 1")
    #expect(log.events.count == 1)
  }

  @Test(arguments: ["uart 1 0 1 0\n", "uart x 0 1 0 41\n", "what 1 0 1 0 1 2\n", "\n"])
  func aLineThatIsNoneOfTheLogsIsAnError(line: String) {
    #expect(throws: LabError.self) { try EventLog(line) }
  }
}
