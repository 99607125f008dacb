import KexecRelocation
import Lab
import PhysicalMemory
import Testing

/// Caches are right by proof: a model of them (Sources/CCachePlugin) watches the stage work, finds
/// nothing, and finds something as soon as any one of the stage's maintenance steps
/// (`MaintenanceStep.all`) is taken away; those of the form for the MMU off: `RelayTests`.
@Suite struct CacheTests {
  /// From the old kernel's first instruction on, so that what it left in the caches counts.
  @Test(arguments: Machine.Level.allCases)
  func aHandoffViolatesNothing(level: Machine.Level) async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.machine.level = level
    try await expectClean(handoff, in: workspace)
  }

  /// What is in place was cleaned by the old kernel when it was loaded, and by nobody since; what the
  /// stage moves it cleans itself.
  @Test(arguments: [("5.10", Machine.Level.el1, false), ("6.1", .el2, true)])
  func aStagedHandoffViolatesNothing(
    kernel: String, level: Machine.Level, isMoved: Bool
  ) async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: kernel, in: workspace)
    handoff.machine.level = level
    handoff.route = .crashKernel
    handoff.crashKernel = "128M"
    handoff.kernelMustLieLow = isMoved
    try await expectClean(handoff, in: workspace)
  }

  private func expectClean(_ handoff: Handoff, in workspace: Workspace) async throws {
    try await GuestSlots.shared.withGuest {
      try await HostFile.withTemporaryDirectory { directory in
        let log = directory + "/caches"
        let run = try await handoff.runObservingCaches(in: workspace, log: log)
        let found = try CacheLog(HostFile.text(of: log))
        #expect(run.end == .poweredOff, "\(run.lastLines)")
        try Self.expectClean(found)
      }
    }
  }

  /// The handoff moves a little, so that every step has something to do.
  @Test(arguments: Machine.Level.allCases)
  func takingAnyStepOfMaintenanceAwayIsAViolation(level: Machine.Level) async throws {
    try await observeSteps(at: level) { !$0.needsSecondary }
  }

  /// Both CPUs of the machine have their share: the model finds nothing, until a step of the other
  /// one's way is taken away.
  @Test(arguments: [Machine.Level.el1, .vhe])
  func takingAnyStepOfAnotherCPUAwayIsAViolation(level: Machine.Level) async throws {
    try await observeSteps(at: level, processors: 2) { $0.needsSecondary }
  }

  private func observeSteps(
    at level: Machine.Level, processors: Int = 1, where isWanted: (MaintenanceStep) -> Bool
  ) async throws {
    let workspace = Workspace()
    let symbols = try StageSymbols(in: workspace)
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.machine.level = level
    handoff.machine.processors = processors
    // A second CPU is only worth it where there is something to do.
    handoff.verified = processors > 1
    try await HostFile.withTemporaryDirectory { directory in
      let snapshot = try await GuestSlots.shared.withGuest { [handoff] in
        try await StageSnapshot(of: handoff, in: directory, workspace)
      }
      let extent = try #require(snapshot.spareMove(size: 32 << 10 + 64))
      let library = try workspace.cachePlugin()
      let stage = try workspace.stage()
      @Sendable func observe(without step: MaintenanceStep?) async throws -> CacheLog {
        let log = directory + "/caches" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
        let run = try await GuestSlots.shared.withGuest {
          try await snapshot.run(
            until: "Booting Linux", plugin: .init(library: library, log: log, stage: stage)
          ) { stub in
            try ExtentTests.displace(extent, snapshot, stub, listed: true)
            guard let step else { return }
            var loaded = try StageInMemory(stub, snapshot.listing)
            for index in try #require(step.indices(in: loaded.instructions, symbols)) {
              loaded.remove(index)
            }
            try loaded.store()
          }
        }
        // An emulator has no caches: nothing but the model sees what is missing.
        #expect(run.end == .ended, "without \(step?.description ?? "nothing"): \(run.lastLines)")
        return try CacheLog(HostFile.text(of: log))
      }
      try Self.expectClean(try await observe(without: nil))
      let steps = MaintenanceStep.all.filter { $0.levels.contains(level) && isWanted($0) }
      #expect(!steps.isEmpty)
      await withTaskGroup(of: Void.self) { group in
        for step in steps {
          group.addTask {
            do {
              let found = try await observe(without: step)
              #expect(found.jumped, "\(step)")
              #expect((found.counts[step.violation] ?? 0) > 0, "without \(step): \(found.counts)")
            } catch {
              Issue.record(error, "\(step)")
            }
          }
        }
      }
    }
  }

  static func expectClean(_ log: CacheLog) throws {
    #expect(log.jumped)
    #expect(log.violations.isEmpty, "\(log.violations)")
    #expect(log.counts.count == CacheLog.Kind.allCases.count)
    #expect(log.counts.values.allSatisfy { $0 == 0 }, "\(log.counts)")
    // It looked: every kind of thing that it can complain about was there to be judged.
    #expect(log.checked.count == 6)
    #expect(log.checked.values.allSatisfy { $0 > 0 }, "\(log.checked)")
  }
}
