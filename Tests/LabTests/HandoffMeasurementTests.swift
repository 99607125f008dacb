import Testing

@testable import Lab

@Suite struct HandoffMeasurementTests {
  private static let beginning =
    EventLogTests.uart("lab: loading\r\n", from: 1000)
    + EventLogTests.uart("lab: loaded 0\r\n", from: 5000)
    + EventLogTests.uart("] Bye!\r\n", from: 9000)

  @Test func aHandoffFallsIntoItsParts() throws {
    let log = try EventLog(
      Self.beginning
        + """
        stage 10005 0 10005 100 2 48000000
        sctlr 10105 0 10105 110 2 48000100 30c51835
        sctlr 12105 0 12105 110 2 48000200 30c50830
        kernel 12205 0 12205 115 2 42000000

        """ + EventLogTests.uart("[    0.0] Booting Linux", from: 20000))
    let measurement = try HandoffMeasurement(log, hasStage: true)
    // From the last byte of the first marker to the first of the second.
    #expect(measurement.load == 5000 - 1011)
    #expect(measurement.handoff == 20010 - 9005)
    #expect(measurement.parts.map(\.instructions) == [1000, 100, 2000, 100, 7805])
    #expect(measurement.uncachedAccesses == 15)
    #expect(measurement.kernelLevel == 2)
  }

  @Test func aHandoffWithoutAStageIsMeasuredFromBye() throws {
    let log = try EventLog(
      Self.beginning + "kernel 12205 0 12205 115 1 42000000\n"
        + EventLogTests.uart("Booting Linux", from: 20000))
    let measurement = try HandoffMeasurement(log, hasStage: false)
    #expect(measurement.parts.map(\.instructions) == [3200, 7795])
    #expect(measurement.uncachedAccesses == 115 - 7)
    #expect(measurement.kernelLevel == 1)
    #expect(throws: LabError.self) { try HandoffMeasurement(log, hasStage: true) }
  }
}
