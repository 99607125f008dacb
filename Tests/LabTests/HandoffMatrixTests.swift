import Testing

@testable import Lab

@Suite struct HandoffMatrixTests {
  @Test func eachKernelMeetsEachAtEachLevelAndNoCellTwice() {
    let cells = HandoffMatrix().cells
    for first in HandoffMatrix.kernels {
      for next in HandoffMatrix.kernels {
        for level in Machine.Level.allCases {
          #expect(
            cells.contains { $0.first == first && $0.next == next && $0.machine.level == level })
        }
      }
    }
    #expect(Set(cells.map(\.description)).count == cells.count)
  }

  @Test func aCellIsNamedForItsKernelsAndItsMachine() {
    #expect(MatrixCell("6.1").description == "6.1, el2, GICv3, 1 CPU, 2 GiB")
    let cell = MatrixCell("5.10", to: "6.12") {
      $0.level = .vhe
      $0.cpu = "max"
      $0.hasITS = true
      $0.processors = 4
      $0.memory = 8192
    }
    #expect(cell.description == "5.10 → 6.12, vhe, max, GICv3 with ITS, 4 CPUs, 8 GiB")
  }

  @Test(
    arguments: [
      (Machine.Level.el1, "off", "cortex-a57"), (.el2, "on", "cortex-a57"),
      (.vhe, "on", "neoverse-n1"),
    ])
  func aLevelIsAMachineAndACPU(level: Machine.Level, virtualization: String, cpu: String) {
    var machine = Machine()
    machine.level = level
    machine.gic = .v2
    let arguments = machine.arguments(control: "control")
    #expect(
      arguments.contains(
        "virt,gic-version=2,its=off,acpi=off,virtualization=" + virtualization))
    #expect(arguments.contains(cpu))
  }

  /// A handoff to a kernel that finds EL2 with VHE and four CPUs, but for what `change` does.
  private func report(_ change: (inout HandoffReport) -> Void) throws -> HandoffReport {
    let log = try EventLog(
      EventLogTests.uart("lab: loading\r\nlab: loaded 0\r\n] Bye!\r\n", from: 1000)
        + "kernel 2000 0 2000 0 2 42000000\n" + EventLogTests.uart("Booting Linux", from: 3000))
    var report = HandoffReport(
      tool: .kexecTools, verified: true, listing: PlanListing([]), stageLine: nil, commandLine: "",
      startedLevel: 2, processors: 4, usesHostExtensions: true,
      measurement: try HandoffMeasurement(log, hasStage: false),
      run: GuestRun(lines: [], end: .poweredOff, duration: .zero))
    change(&report)
    return report
  }

  @Test func aKernelThatFindsAnotherMachineIsFound() throws {
    var machine = Machine()
    machine.level = .vhe
    machine.processors = 4
    #expect(try report { _ in }.difference(from: machine) == nil)
    let changes: [(inout HandoffReport) -> Void] = [
      { $0.measurement.kernelLevel = 1 }, { $0.startedLevel = 1 }, { $0.startedLevel = nil },
      { $0.usesHostExtensions = false }, { $0.processors = 3 }, { $0.processors = nil },
      {
        $0.run.lines = [
          "[    0.0] GICv3: CPU0: Booted with LPIs enabled, memory probably corrupted"
        ]
      },
    ]
    for (index, change) in changes.enumerated() {
      #expect(try report(change).difference(from: machine) != nil, "change \(index)")
    }
  }
}
