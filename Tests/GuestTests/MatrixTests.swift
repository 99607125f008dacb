import Lab
import Testing

/// A selection of the matrix (`make matrix` runs all of it): each kernel at each level, held to its
/// goals, and each other way in which machines differ once.
@Suite struct MatrixTests {
  private func run(_ cell: MatrixCell) async throws -> HandoffReport {
    let workspace = Workspace()
    return try await GuestSlots.shared.withGuest { try await cell.run(in: workspace) }
  }

  /// Guest instructions, for 2 GiB and one CPU.
  private static let goals: [String: (load: UInt64, handoff: UInt64)] = [
    "5.10": (200_000_000, 130_000_000),
    "6.1": (200_000_000, 110_000_000),
    "6.12": (400_000_000, 115_000_000),
  ]

  @Test(arguments: HandoffMatrix.kernels, Machine.Level.allCases)
  func eachKernelComesUpAtItsLevelWithinItsGoals(kernel: String, level: Machine.Level) async throws
  {
    let measured = try await run(MatrixCell(kernel) { $0.level = level }).measurement
    let goal = try #require(Self.goals[kernel])
    #expect(measured.load <= goal.load)
    #expect(measured.handoff <= goal.handoff)
    #expect(measured.uncachedAccesses <= 20_000)
  }

  @Test(
    arguments: [
      MatrixCell("5.10", to: "6.12"),
      MatrixCell("6.12", to: "5.10") { $0.level = .vhe },
      MatrixCell("6.1", to: "6.12") {
        $0.level = .vhe
        $0.cpu = "max"
      },
      MatrixCell("6.1") {
        $0.level = .el1
        $0.gic = .v2
      },
      MatrixCell("6.12") {
        $0.processors = 4
        $0.gic = .v2
      },
      MatrixCell("5.10") { $0.processors = 8 },
      MatrixCell("6.1") {
        $0.platform = .firmwareACPI
        $0.level = .vhe
      },
      MatrixCell("6.12") {
        $0.platform = .firmwareDeviceTree
        $0.level = .el1
      },
      MatrixCell("5.10") { $0.hasITS = true },
      MatrixCell("6.12") {
        $0.level = .vhe
        $0.hasITS = true
        $0.processors = 2
      },
      MatrixCell("6.1") {
        $0.level = .vhe
        $0.processors = 8
      },
      MatrixCell("6.1") {
        $0.level = .el1
        $0.processors = 2
        $0.memory = 1024
      },
    ])
  func machinesOfOtherKindsComeUpToo(cell: MatrixCell) async throws {
    // It throws where the next kernel finds another level, or not all CPUs.
    let report = try await run(cell)
    #expect(report.run.end == .poweredOff)
  }
}
