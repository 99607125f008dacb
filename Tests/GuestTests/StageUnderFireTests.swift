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

  /// A redistributor whose LPIs cannot be switched off: in a flash, which takes no writes but
  /// commands, so that what is programmed stays.
  ///
  /// - Parameters:
  ///   - count: how many there are, one behind the other, each with a pending table of its own.
  ///   - identifierBits: of the interrupts; the register holds one less.
  private static func plantStuckLPIs(
    _ stage: inout StageInMemory, propertyTable: UInt64, pendingTable: UInt64, count: Int = 1,
    identifierBits: UInt64 = 16
  ) throws {
    let first = PhysicalAddress(0x400_0000)
    for index in 0..<count {
      let frame = first + UInt64(index) * 0x2_0000
      // GICR_CTLR, GICR_TYPER, GICR_PROPBASER, GICR_PENDBASER, GICR_PIDR2
      let registers: [(UInt64, UInt64)] = [
        (0, 0x01), (8, index == count - 1 ? 0x11 : 0x01),
        (0x70, propertyTable | identifierBits - 1),
        (0x78, pendingTable + UInt64(index) * 0x1_0000), (0xFFE8, 0x3B),
      ]
      for (offset, value) in registers {
        for byte in 0..<8 as Range<UInt64> {
          for write in [0x40, UInt8(truncatingIfNeeded: value >> (8 * byte))] {
            try stage.stub.write([write], to: frame + offset + byte)
          }
        }
      }
    }
    try stage.stub.write([0xFF], to: first)
    let regions = Int(stage.block[StageInMemory.word(\.redistributors)] & 0xFFFF_FFFF) / 8
    stage.block[regions] = first.rawValue
    stage.block[regions + 1] = UInt64(count) * 0x2_0000
    try stage.store()
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
      Plight(name: "halt", message: "version 7 is not known to this stage; halting") { stage in
        stage.setLifeline(Lifeline(console: console, conduit: .smc, haltsOnFailure: true))
        stage.block[StageInMemory.word(\.version)] =
          stage.block[StageInMemory.word(\.version)] & ~0xFFFF_FFFF | 7
        try stage.store()
        // It stands there for ever; the test's own code ends it.
        try stage.stub.run(to: try stage.address(of: "baton_halt"))
        try stage.reset(from: scratch)
      },
      Plight(name: "no tables", message: "for which no tables were loaded") { stage in
        stage.block[StageInMemory.word(\.el2_layout)] = 0
        try stage.store()
      },
      Plight(
        name: "kernel with pages of 16K",
        message: "this CPU has no pages of 2^14 bytes, which the next kernel needs; resetting"
      ) { stage in
        let word = StageInMemory.word(\.granule_shift)
        // The loader put there what the Image's header says.
        #expect(stage.block[word] == 12 | 12 << 32)
        stage.block[word] = 12 | 14 << 32
        try stage.store()
      },
      Plight(
        name: "tables with pages of 16K",
        message: "this CPU has no pages of 2^14 bytes, which the tables are made of; resetting"
      ) { stage in
        stage.block[StageInMemory.word(\.granule_shift)] = 14 | 12 << 32
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
      Plight(
        name: "LPIs that stay on, tables in the kernel",
        message: "keeps its LPIs on, and has a table in what was loaded, at 0x"
      ) { stage in
        try plantStuckLPIs(
          &stage, propertyTable: stage.block[StageInMemory.word(\.entry)] + 0x10000,
          pendingTable: scratch.rawValue)
      },
      Plight(
        name: "more tables of LPIs than can be reserved",
        message:
          "keeps its LPIs on, and there are too many tables to reserve: no room for 0x58900000"
      ) { stage in
        try plantStuckLPIs(
          &stage, propertyTable: 0x5800_0000, pendingTable: 0x5810_0000,
          count: Int(BATON_MAXIMUM_RESERVATIONS))
      },
      Plight(
        name: "LPIs without a table of their properties",
        message: "keeps its LPIs on, and does not tell where its table is; resetting"
      ) { stage in
        try plantStuckLPIs(
          &stage, propertyTable: 0x5800_0000, pendingTable: 0x5810_0000, identifierBits: 13)
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
                try await snapshot.run { stub in
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

  /// What the stage wrote is read at the next kernel's first instruction, which has then to live
  /// with it.
  @Test func tablesOfLPIsThatStayOnAreReservedAndARecordIsLeft() async throws {
    let workspace = Workspace()
    let handoff = try Handoff(debian: "6.1", in: workspace)
    try await HostFile.withTemporaryDirectory { directory in
      let snapshot = try await GuestSlots.shared.withGuest {
        try await StageSnapshot(of: handoff, in: directory, workspace)
      }
      let tree = try #require(snapshot.listing.ranges[.dtb])
      let recordSize = MemoryLayout<baton_handoff_record>.size
      let run = try await GuestSlots.shared.withGuest {
        try await snapshot.run { stub in
          var stage = try StageInMemory(stub, snapshot.listing)
          let processors = Int(BATON_MAXIMUM_RESERVATIONS) - 1
          try Self.plantStuckLPIs(
            &stage, propertyTable: 0x5800_0000, pendingTable: 0x5810_0000, count: processors)
          let entry = PhysicalAddress(stage.block[StageInMemory.word(\.entry)])
          try stub.run(to: entry)
          let offset = try stub.read(tree.start + 16, count: 4).reduce(0) { $0 << 8 | UInt64($1) }
          let map = try stub.read(
            PhysicalRange(
              tree.start + offset, upTo: tree.start + offset + UInt64(16 * (processors + 2))))
          let words = stride(from: 0, to: map.count, by: 8).map { start in
            map[start..<(start + 8)].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
          }
          let pending = (0..<UInt64(processors)).flatMap { index -> [UInt64] in
            [0x5810_0000 + index * 0x1_0000, 8192]
          }
          #expect(words == [0x5800_0000, 65536 - 8192] + pending + [0, 0])
        }
      }
      #expect(run.end == .poweredOff, "\(run.lastLines)")
      let recorded = try await GuestSlots.shared.withGuest {
        try await snapshot.run { stub in
          var stage = try StageInMemory(stub, snapshot.listing)
          let place = PhysicalAddress((tree.end.rawValue - UInt64(recordSize)) & ~3)
          stage.block[StageInMemory.word(\.record)] = place.rawValue
          try stage.store()
          let plan = stage.block[Int(BATON_BLOCK_CHECKSUM_OFFSET) / 8]
          let before = try stub.read(place, count: recordSize)
          try stub.run(to: PhysicalAddress(stage.block[StageInMemory.word(\.entry)]))
          let bytes = try stub.read(place, count: recordSize)
          // The strings that the record was planted over, for the next kernel.
          try stub.write(before, to: place)
          // Sound: as many bytes as the struct has, which holds integers only.
          let record = unsafe bytes.withUnsafeBytes {
            unsafe $0.loadUnaligned(as: baton_handoff_record.self)
          }
          #expect(record.magic == BATON_RECORD_MAGIC)
          #expect(record.version == UInt32(BATON_RECORD_VERSION))
          #expect(Int(record.size) == recordSize)
          #expect(record.counter_frequency == 62_500_000)
          #expect(record.plan_digest == plan)
          #expect(record.bytes_moved == 0 && record.bytes_verified > 27_000_000)
          let times = [
            record.entered, record.translation_on, record.moved, record.verified, record.left,
          ]
          #expect(times == times.sorted() && times[0] > 0, "\(times)")
          #expect(record.verified > record.moved)
        }
      }
      #expect(recorded.end == .poweredOff, "\(recorded.lastLines)")
    }
  }

  private static func expect(_ plight: Plight, _ run: GuestRun) {
    let comment: Comment = "\(plight.name); console: \(run.lastLines)"
    #expect(run.end == .reset, comment)
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

extension StageInMemory {
  /// Has the CPU, whose MMU is off, ask for a reset by code at `place`.
  fileprivate func reset(from place: PhysicalAddress) throws {
    // mov w0, #9; movk w0, #0x8400, lsl #16 (SYSTEM_RESET); smc #0
    let code: [UInt32] = [0x5280_0120, 0x72B0_8000, 0xD400_0003]
    try stub.write(
      code.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } },
      to: place)
    try stub.setProgramCounter(place.rawValue)
  }
}
