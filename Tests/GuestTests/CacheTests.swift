import KexecRelocation
import Lab
import PhysicalMemory
import Testing

/// Caches are right by proof: a model of them (Sources/CCachePlugin) watches the stage work, finds
/// nothing, and finds something as soon as any one of the stage's maintenance steps is taken away.
@Suite struct CacheTests {
  /// From the old kernel's first instruction on, so that what it left in the caches counts.
  @Test func aHandoffViolatesNothing() async throws {
    let workspace = Workspace()
    let handoff = try Handoff(debian: "6.1", in: workspace)
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

  @Test func aMoveViolatesNothingUntilAStepOfMaintenanceIsTakenAway() async throws {
    let workspace = Workspace()
    let handoff = try Handoff(debian: "6.1", in: workspace)
    try await HostFile.withTemporaryDirectory { directory in
      let snapshot = try await GuestSlots.shared.withGuest {
        try await StageSnapshot(of: handoff, in: directory, workspace)
      }
      let extent = try #require(snapshot.spareMove(size: 32 << 10))
      let library = try workspace.cachePlugin()
      let stage = try workspace.stage()
      func observe(without step: MaintenanceStep?) async throws -> CacheLog {
        let log = directory + "/caches"
        let run = try await GuestSlots.shared.withGuest {
          try await snapshot.run(plugin: .init(library: library, log: log, stage: stage)) { stub in
            try ExtentTests.displace(extent, snapshot, stub, listed: true)
            guard let step else { return }
            var loaded = try LoadedStage(at: try #require(snapshot.listing.entry), stub)
            try loaded.take(step)
            try loaded.store(stub)
          }
        }
        // An emulator has no caches: nothing but the model sees what is missing.
        #expect(run.end == .poweredOff, "\(run.lastLines)")
        return try CacheLog(HostFile.text(of: log))
      }
      try Self.expectClean(try await observe(without: nil))
      for step in MaintenanceStep.allCases {
        let found = try await observe(without: step)
        #expect(found.jumped, "\(step)")
        #expect((found.counts[step.violation] ?? 0) > 0, "without \(step): \(found.counts)")
      }
    }
  }

  private static func expectClean(_ log: CacheLog) throws {
    #expect(log.jumped)
    #expect(log.violations.isEmpty, "\(log.violations)")
    #expect(log.counts.count == CacheLog.Kind.allCases.count)
    #expect(log.counts.values.allSatisfy { $0 == 0 }, "\(log.counts)")
    // It looked: every kind of thing that it can complain about was there to be judged.
    #expect(log.checked.count == 4)
    #expect(log.checked.values.allSatisfy { $0 > 0 }, "\(log.checked)")
  }
}

/// What the stage does for the caches, and what the model has to say where it is not done.
enum MaintenanceStep: CaseIterable {
  /// `dc ivac` of the writable section before the MMU goes on (translation.S).
  case dropStaleLines
  /// `dc civac` of what was moved (caches.S).
  case cleanMovedLines
  /// `dc civac` of the writable section before the MMU goes off (leave.S).
  case cleanOwnLines
  /// `ic iallu` before the jump (leave.S).
  case invalidateInstructions

  /// The instruction, with the register's field zero where it has one.
  fileprivate var instruction: UInt32 {
    switch self {
    case .dropStaleLines: 0xd508_7620
    case .cleanMovedLines, .cleanOwnLines: 0xd50b_7e20
    case .invalidateInstructions: 0xd508_7500
    }
  }

  /// An instruction that follows soon after this step's, and not after the same instruction of
  /// another step; nil where there is no other.
  ///
  /// Of the instructions that invalidate the instruction cache only those before a jump are taken:
  /// the others, before the MMU goes on, repeat what the kernel that jumped to the stage has done,
  /// and nothing has written code since.
  fileprivate var follower: (word: UInt32, mask: UInt32)? {
    switch self {
    case .dropStaleLines: nil
    case .cleanMovedLines: (0xd65f_03c0, .max)  // ret: the function ends with its loop
    case .cleanOwnLines: (0xd503_3f9f, .max)  // dsb sy
    case .invalidateInstructions: (0xd61f_0000, 0xffff_fc1f)  // br
    }
  }

  var violation: CacheLog.Kind {
    switch self {
    case .dropStaleLines: .stale
    case .cleanMovedLines: .left
    case .cleanOwnLines: .left
    case .invalidateInstructions: .icache
    }
  }
}

extension LoadedStage {
  /// Takes a step out of the stage's code.
  fileprivate mutating func take(_ step: MaintenanceStep) throws {
    let places = code.indices.filter { index in
      guard code[index] & ~0x1f == step.instruction & ~0x1f else { return false }
      guard let follower = step.follower else { return true }
      return code[index...].prefix(8).contains { $0 & follower.mask == follower.word }
    }
    try #require(!places.isEmpty, "the stage has no \(step)")
    for index in places { remove(index) }
  }
}
