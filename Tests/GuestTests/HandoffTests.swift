import Lab
import Testing

/// Debian's 6.1 hands over to itself, in QEMU; the goals are those of the project's first
/// milestone, in guest instructions.
@Suite struct HandoffTests {
  private func report(
    verified: Bool, tool: Handoff.Tool = .baton
  ) async throws -> HandoffReport {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.tool = tool
    handoff.verified = verified
    let prepared = handoff
    return try await GuestSlots.shared.withGuest { try await prepared.run(in: workspace) }
  }

  @Test func aVerifiedHandoffReachesTheNextUserlandWithinItsGoals() async throws {
    let report = try await report(verified: true)
    #expect(report.startedLevel == 2)
    #expect(report.measurement.kernelLevel == 2)
    #expect(report.measurement.handoff <= 110_000_000)
    #expect(report.measurement.load <= 200_000_000)
    #expect(report.measurement.uncachedAccesses <= 20_000)
    #expect(report.run.end == .poweredOff)
    for piece in PlanListing.Piece.allCases {
      #expect(report.listing.ranges[piece] != nil, "baton -l -d has no line for \(piece)")
    }
    #expect(report.listing.entry != nil)
  }

  @Test func anUncheckedHandoffReachesTheNextUserlandWithinItsGoals() async throws {
    let report = try await report(verified: false)
    #expect(report.startedLevel == 2)
    #expect(report.measurement.kernelLevel == 2)
    #expect(report.measurement.handoff <= 38_200_000)
    #expect(report.measurement.uncachedAccesses <= 20_000)
  }

  /// A kernel at EL1 whose KVM used EL2 in the layout of VHE leaves it so: /proc/interrupts tells the
  /// same as without. Both CPUs of the stage go by what the first found.
  @Test func aKVMThatUsedVHEAloneLeavesTheStageItsLayout() async throws {
    let cell = MatrixCell("6.12") {
      $0.level = .vhe
      $0.processors = 2
      $0.commandLine += " arm64_sw.hvhe=1"
    }
    let report = try await GuestSlots.shared.withGuest { try await cell.run(in: Workspace()) }
    #expect(report.run.lines.contains { $0.hasSuffix("detected: VHE for hypervisor only") })
    #expect(report.run.lines.contains { $0.contains(" at EL2, ") && $0.contains("  entry 0x") })
    #expect(report.stageLine?.hasPrefix("baton: EL2 (VHE), MMU and caches on: ") == true)
    #expect(report.processors == 2)
  }

  /// The same after a panic, when nobody had KVM give EL2 back.
  @Test(.matrix) func soDoesAKVMThatAPanicInterrupts() async throws {
    var cell = MatrixCell("6.12") {
      $0.level = .vhe
      $0.commandLine += " arm64_sw.hvhe=1"
    }
    cell.crashes = true
    let prepared = cell
    let report = try await GuestSlots.shared.withGuest { try await prepared.run(in: Workspace()) }
    #expect(report.stageLine?.hasPrefix("baton: EL2 (VHE), MMU and caches on: ") == true)
  }

  /// The instrument itself, on a handoff that is not Baton's.
  @Test func countsRepeatFromRunToRun() async throws {
    async let first = report(verified: false, tool: .kexecTools).measurement.handoff
    async let second = report(verified: false, tool: .kexecTools).measurement.handoff
    let (a, b) = try await (Double(first), Double(second))
    #expect(abs(a - b) < a / 1000, "\(a) and \(b) guest instructions")
  }
}
