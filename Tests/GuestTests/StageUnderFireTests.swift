import CBatonArm64
import KexecRelocation
import Lab
import PhysicalMemory
import Testing

/// Whatever is wrong with what was loaded, and wherever the stage fails: one line, if there is a
/// console that works, and always a reset. All of it is planted from outside, in a guest that was
/// stopped at the stage's entry.
@Suite struct StageUnderFireTests {
  private struct Plight: Sendable {
    let name: String
    /// What the one line says; nil where nothing can be said.
    let message: String?
    var end = GuestEnd.reset
    let plant: @Sendable (inout StageInMemory) throws -> Void
  }

  private static let console = Lifeline.Console.pl011(PhysicalAddress(0x900_0000))
  /// Memory of the guest that nobody uses any more.
  private static let scratch = PhysicalAddress(0x5000_0000)

  private static func exception(at function: String, _ message: String) -> Plight {
    Plight(name: "exception at \(function)", message: message) { stage in
      try stage.stub.run(to: try stage.address(of: function))
      // No code, and with the MMU on no mapping.
      try stage.stub.setProgramCounter(0)
    }
  }

  private static var plights: [Plight] {
    [
      Plight(name: "console where nothing is", message: nil) { stage in
        stage.setLifeline(
          Lifeline(console: .pl011(PhysicalAddress(0x3_0000_0000_00)), conduit: .smc))
        stage.block[StageInMemory.word(\.version)] ^= 4
        try stage.store()
      },
      Plight(name: "console that never drains", message: nil) { stage in
        stage.setLifeline(Lifeline(console: .pl011(scratch), conduit: .smc))
        try stage.stub.write([UInt8](repeating: 0xFF, count: 64), to: scratch)
        try stage.store()
      },
      Plight(name: "8250 that never drains", message: nil) { stage in
        stage.setLifeline(
          Lifeline(console: .ns16550(scratch, shift: 2, width: .word), conduit: .smc))
        try stage.stub.write([UInt8](repeating: 0, count: 64), to: scratch)
        try stage.store()
      },
      Plight(name: "console that the tables do not map", message: nil) { stage in
        stage.setLifeline(Lifeline(console: .pl011(PhysicalAddress(0x901_0000)), conduit: .smc))
        try stage.store()
      },
      Plight(name: "no console", message: nil) { stage in
        stage.setLifeline(Lifeline(console: .none, conduit: .smc))
        stage.block[StageInMemory.word(\.tables)] = 0
        try stage.store()
      },
      Plight(name: "garbage for a block", message: "not a block") { stage in
        for index in stage.block.indices {
          stage.block[index] = UInt64(index) &* 0x9E37_79B9_7F4A_7C15 ^ 0x5A5A
        }
        try stage.store()
      },
      Plight(name: "another version", message: "version 7 is not known") { stage in
        stage.block[StageInMemory.word(\.version)] =
          stage.block[StageInMemory.word(\.version)] & ~0xFFFF_FFFF | 7
        try stage.store()
      },
      Plight(
        name: "halt", message: "version 7 is not known to this stage; halting", end: .timeLimit
      ) { stage in
        stage.setLifeline(Lifeline(console: console, conduit: .smc, haltsOnFailure: true))
        stage.block[StageInMemory.word(\.version)] =
          stage.block[StageInMemory.word(\.version)] & ~0xFFFF_FFFF | 7
        try stage.store()
      },
      Plight(name: "no tables", message: "for which no tables were loaded") { stage in
        stage.block[StageInMemory.word(\.el2_layout)] = 0
        try stage.store()
      },
      Plight(name: "impossible TCR", message: "impossible TCR") { stage in
        stage.block[StageInMemory.word(\.el2_layout) + 1] |= 0x3F
        try stage.store()
      },
      Plight(name: "broken table", message: "the loaded tables would not work: no translation") {
        stage in
        let base = stage.base.rawValue
        for (index, word) in stage.tables.enumerated()
        where word & 3 == 3 && word & 0xFFFF_FFFF_F000 == base {
          stage.tables[index] = 0
        }
        try stage.store()
      },
      Plight(name: "record outside the tree", message: "its record lies outside the dtb") { stage in
        stage.block[StageInMemory.word(\.record)] = scratch.rawValue
        try stage.store()
      },
      Plight(name: "LPIs that stay on", message: "keeps its LPIs on") { stage in
        // A flash takes no writes but commands: what is programmed stays.
        let frame = PhysicalAddress(0x400_0000)
        let registers: [(UInt64, UInt8)] = [(0, 0x01), (8, 0x11), (0xFFE8, 0x3B)]
        for (offset, value) in registers {
          for byte in [0x40, value] { try stage.stub.write([byte], to: frame + offset) }
        }
        try stage.stub.write([0xFF], to: frame)
        let regions = Int(stage.block[StageInMemory.word(\.redistributors)] & 0xFFFF_FFFF) / 8
        stage.block[regions] = frame.rawValue
        try stage.store()
      },
      exception(at: "stage_prepare", "undefined instruction at 0x0"),
      exception(at: "baton_translation_on", "undefined instruction at 0x0"),
      exception(at: "stage_execute", "instruction abort at 0x0"),
      exception(at: "baton_sha256_blocks_armv8", "instruction abort at 0x0"),
      exception(at: "baton_leave", "instruction abort at 0x0"),
    ]
  }

  @Test func everyPlightEndsInAResetAndInALineWhereThereIsAConsole() async throws {
    let workspace = Workspace()
    let handoff = try Handoff(debian: "6.1", in: workspace)
    try await HostFile.withTemporaryDirectory { directory in
      let snapshot = try await GuestSlots.shared.withGuest {
        try await StageSnapshot(of: handoff, in: directory, workspace)
      }
      await withTaskGroup(of: Void.self) { group in
        for plight in Self.plights {
          group.addTask {
            do {
              let run = try await GuestSlots.shared.withGuest {
                try await snapshot.run(timeLimit: .seconds(plight.end == .reset ? 30 : 5)) { stub in
                  var stage = try StageInMemory(stub, snapshot.listing)
                  try plight.plant(&stage)
                }
              }
              Self.expect(plight, run)
            } catch {
              Issue.record(error, "\(plight.name)")
            }
          }
        }
      }
    }
  }

  private static func expect(_ plight: Plight, _ run: GuestRun) {
    let comment: Comment = "\(plight.name); console: \(run.lastLines)"
    #expect(run.end == plight.end, comment)
    // After the line that announces the departure, an exception may still come.
    let messages = run.lines.filter { !$0.isEmpty && !$0.contains("; starting 0x") }
    guard let message = plight.message else {
      #expect(messages.isEmpty, comment)
      return
    }
    #expect(messages.count == 1, comment)
    #expect(messages.first?.hasPrefix("baton: ") == true, comment)
    #expect(messages.first?.contains(message) == true, comment)
  }
}
