import Lab
import Testing

@Suite struct CacheLogTests {
  @Test func aLogIsReadAsItWasWritten() throws {
    let log = try CacheLog(
      """
      violation stale 42000040 48000124
      jump 42000000
      count stale 17
      count left 0
      checked loads 5
      """)
    #expect(log.violations == [.init(kind: .stale, line: 0x4200_0040, pc: 0x4800_0124)])
    #expect(log.counts == [.stale: 17, .left: 0])
    #expect(log.checked == ["loads": 5])
    #expect(log.jumped)
  }

  @Test func aGuestThatNeverJumpedIsNotOneWithoutViolations() throws {
    let log = try CacheLog("")
    #expect(!log.jumped)
    #expect(log.counts.isEmpty)
  }

  @Test(arguments: [
    "violation stale 42000040", "violation bent 1 2", "violation stale x 2", "count stale -1",
    "count stale", "checked loads many", "jumps 1",
  ])
  func whatIsNoLineOfTheLogIsRefused(line: String) throws {
    #expect(throws: LabError.self) { try CacheLog("jump 0\n" + line + "\n") }
  }
}
