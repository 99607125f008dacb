import CBatonArm64
import KexecRelocation
import Lab
import PhysicalMemory
import Testing

/// The stage on several CPUs.
@Suite struct SharedWorkTests {
  /// Each level once, each interrupt controller; the matrix has the rest.
  @Test(arguments: [(Machine.Level.el1, Machine.GIC.v3), (.el2, .v2), (.vhe, .v3)])
  func fourCPUsShareTheWorkAndTheNextKernelBringsThemUp(
    level: Machine.Level, gic: Machine.GIC
  ) async throws {
    let cell = MatrixCell("6.1") {
      $0.level = level
      $0.gic = gic
      $0.processors = 4
    }
    // It throws where the next kernel does not find the machine as it is.
    let report = try await GuestSlots.shared.withGuest { try await cell.run(in: Workspace()) }
    #expect(report.processors == 4)
    #expect(report.stageLine?.contains(" pieces on 4 CPUs; starting") == true)
  }

  /// A kernel of 400 MB that the stage moves; waiting counts.
  @Test(.matrix, arguments: [true, false])
  func noCPUHasMoreThanThreeTenthsOfTheWork(verified: Bool) async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.route = .crashKernel
    handoff.crashKernel = "640M"
    handoff.kernelMustLieLow = true
    handoff.kernelBallast = 380 << 20
    handoff.verified = verified
    handoff.machine.processors = 4
    handoff.machine.memory = 4096
    try await GuestSlots.shared.withGuest { [handoff] in
      try await HostFile.withTemporaryDirectory { directory in
        let snapshot = try await StageSnapshot(of: handoff, in: directory, workspace)
        let (shares, run) = try await snapshot.runCountingShares()
        #expect(
          run.lines.contains { $0.hasPrefix("baton: ") && $0.contains(" on 4 CPUs; starting ") },
          "\(run.lastLines)")
        #expect(shares.instructions.count == 4)
        #expect(shares.largest <= 0.30, "\(shares.instructions)")
      }
    }
  }

  private struct Plight: Sendable {
    let name: String
    let message: String
    /// Where nil, the next kernel starts.
    var end: GuestEnd? = .reset
    let plant: @Sendable (inout StageInMemory) throws -> Void
  }

  private static let notOff = "CPU 0x1 shares the work and did not finish or go off; resetting"

  private static var plights: [Plight] {
    [
      Plight(name: "a CPU that is not there", message: " pieces on 1 CPU; starting", end: nil) {
        stage in
        let processors = Int(stage.block[StageInMemory.word(\.processors)] & 0xFFFF_FFFF) / 8
        stage.block[processors + 1] = 0x7F00
        try stage.store()
      },
      Plight(
        name: "firmware that does not say which CPUs are on", message: " pieces on 1 CPU; starting",
        end: nil
      ) { stage in
        try stage.stub.run(to: try stage.address(of: "baton_smc"))
        let function = try stage.stub.register(0)
        #expect(function == BATON_PSCI_AFFINITY_INFO)
        // mov x0, #-1 (NOT_SUPPORTED); ret
        let spare = try stage.address(of: "stage_guard_entry")
        try stage.stub.write([0x00, 0x00, 0x80, 0x92, 0xC0, 0x03, 0x5F, 0xD6], to: spare)
        try stage.stub.setProgramCounter(spare.rawValue)
      },
      Plight(name: "a CPU that never begins", message: notOff) { stage in
        try stage.stub.run(to: try stage.address(of: "stage_secondary"))
        try stage.stub.setProgramCounter(try stage.address(of: "baton_halt").rawValue)
      },
      Plight(name: "a CPU that never goes off", message: notOff) { stage in
        try stage.stub.runAnother(to: try stage.address(of: "baton_last_smc"))
        try stage.stub.setProgramCounter(try stage.address(of: "baton_halt").rawValue)
      },
      Plight(name: "a piece that is never finished", message: notOff) { stage in
        try stage.runBoth(to: "baton_sha256_blocks_armv8")
        try stage.stub.setProgramCounter(try stage.address(of: "baton_halt").rawValue)
      },
      Plight(name: "a run that is never finished", message: notOff) { stage in
        // Two runs, of several extents each.
        try stage.move([UInt64](repeating: 256 << 10, count: 8))
        try stage.runBoth(to: "baton_relocate")
        try stage.stub.setProgramCounter(try stage.address(of: "baton_halt").rawValue)
      },
      Plight(name: "a CPU that faults, MMU off", message: "undefined instruction at 0x0 ") {
        stage in
        try stage.stub.runAnother(to: try stage.address(of: "baton_translation_on"))
        try stage.stub.setProgramCounter(0)
      },
      Plight(name: "a CPU that faults, MMU on", message: "instruction abort at 0x0 ") { stage in
        try stage.stub.run(to: try stage.address(of: "stage_secondary"))
        try stage.stub.setProgramCounter(0)
      },
      Plight(name: "two CPUs that fault at once", message: ", FAR 0x0; halting") { stage in
        try stage.haltOnFailure()
        try stage.runBoth(to: "baton_sha256_blocks_armv8")
        for processor in 0..<2 {
          try stage.stub.select(processor)
          try stage.stub.setProgramCounter(0)
        }
        try stage.resetWhereBothHalt()
      },
      Plight(
        name: "a CPU that has said why it stands still", message: "instruction abort at 0x0 "
      ) { stage in
        try stage.haltOnFailure()
        try stage.stub.run(to: try stage.address(of: "stage_secondary"))
        try stage.stub.setProgramCounter(0)
        // The boot CPU waits for it in vain.
        try stage.resetWhereBothHalt()
      },
      Plight(name: "a flipped bit", message: " differs from what was loaded, at 0x") { stage in
        try stage.runBoth(to: "baton_sha256_blocks_armv8")
        let data = PhysicalAddress(try stage.stub.register(1))
        var byte = try stage.stub.read(data, count: 1)
        byte[0] ^= 0x10
        try stage.stub.write(byte, to: data)
      },
      Plight(
        name: "extents", message: ": moved 2097152 bytes, verified ", end: nil
      ) { stage in
        // Four runs.
        try stage.move([256 << 10, 1536 << 10, 256 << 10])
        try stage.runBoth(to: "baton_relocate")
      },
      Plight(
        name: "entered at EL1, another CPU started at EL2",
        message: "baton: EL1, MMU and caches on: moved 0 bytes, verified ", end: nil
      ) { stage in
        try stage.enterAtEL1()
      },
    ]
  }

  @Test func whateverHappensToAnotherCPUTheMachineResetsOrGoesOn() async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.machine.processors = 2
    try await HostFile.withTemporaryDirectory { directory in
      let snapshot = try await GuestSlots.shared.withGuest { [handoff] in
        try await StageSnapshot(of: handoff, in: directory, workspace)
      }
      await withTaskGroup(of: Void.self) { group in
        for plight in Self.plights {
          group.addTask {
            do {
              let run = try await GuestSlots.shared.withGuest {
                try await snapshot.run(
                  until: plight.end == nil ? "Booting Linux" : nil
                ) { stub in
                  var stage = try StageInMemory(stub, snapshot.listing)
                  try plight.plant(&stage)
                }
              }
              let comment: Comment = "\(plight.name): \(run.lastLines)"
              #expect(run.end == plight.end ?? .ended, comment)
              let messages = run.lines.filter { $0.hasPrefix("baton: ") }
              #expect(messages.count == 1, comment)
              #expect(messages.first?.contains(plight.message) == true, comment)
            } catch {
              Issue.record(error, "\(plight.name)")
            }
          }
        }
      }
    }
  }
}

extension StageInMemory {
  /// Has the stage move the kernel's beginning, in extents of these sizes, from memory behind the
  /// kernel's bytes that only the kernel itself will use. Its place is empty until then.
  fileprivate mutating func move(_ sizes: [UInt64]) throws {
    let kernel = PhysicalAddress(block[Self.word(\.entry)])
    let pieces = block[Self.word(\.pieces)]
    // struct baton_piece: 48 bytes; the kernel's come first.
    var end = kernel
    for index in 0..<Int(pieces >> 32) {
      let piece = Int(pieces & 0xFFFF_FFFF) / 8 + 6 * index
      if block[piece + 1] >> 32 == UInt64(BATON_SEGMENT_KERNEL) {
        end = PhysicalAddress(block[piece]) + (block[piece + 1] & 0xFFFF_FFFF)
      }
    }
    var source = (end + 0xFFFFF).alignedDown(to: 0x10_0000)
    var destination = kernel
    var extents: [Extent] = []
    for size in sizes {
      let from = PhysicalRange(destination, upTo: destination + size)
      try stub.writeAll(try stub.read(from), to: source)
      try stub.writeAll([UInt8](repeating: 0, count: Int(size)), to: destination)
      guard let extent = Extent(source: source, destination: destination, size: size) else {
        throw Failure("no extent of \(size) bytes")
      }
      extents.append(extent)
      source = source + size
      destination = destination + size
    }
    try add(extents)
    try store()
  }

  /// Lets the guest run until both CPUs are about to call `function` for the first time, and goes on
  /// with the second.
  ///
  /// Either could do all of the work before the other takes any. So whichever comes first stands
  /// still, in a branch to itself where there is code that no handoff executes: the boot CPU at its
  /// call, the second where it enters the stage.
  fileprivate func runBoth(to function: String) throws {
    let (entry, call) = (try address(of: "stage_secondary"), try address(of: function))
    let spare = try address(of: "stage_guard_entry")
    let place = try stub.run(toEither: entry, or: call)
    let early = stub.processor
    try stub.write([0x00, 0x00, 0x00, 0x14], to: spare)
    try stub.setProgramCounter(spare.rawValue)
    try stub.run(to: place == call ? entry : call)
    let late = stub.processor
    guard early != late else { throw Failure("CPU \(early) is at both places") }
    // The boot CPU has taken a part of the work, and stays; what the second takes is another.
    let (boot, second) = place == call ? (early, late) : (late, early)
    try stub.select(boot)
    try stub.setProgramCounter(spare.rawValue)
    try stub.select(second)
    try stub.setProgramCounter(entry.rawValue)
    try stub.run(to: call)
    guard stub.processor == second else { throw Failure("CPU \(boot) is at \(function)") }
    try stub.select(boot)
    try stub.setProgramCounter(call.rawValue)
    try stub.select(second)
  }

  /// What the command's `--on-failure=halt` asks for.
  fileprivate mutating func haltOnFailure() throws {
    setLifeline(
      Lifeline(
        console: .pl011(PhysicalAddress(0x900_0000)), conduit: .smc, haltsOnFailure: true))
    try store()
  }

  /// Lets the guest run until both CPUs have halted for ever, and resets it as the stage does.
  fileprivate func resetWhereBothHalt() throws {
    let halt = try address(of: "baton_halt")
    try stub.run(to: halt)
    let first = stub.processor
    // Out of the way, in a branch to itself, where no handoff comes.
    let spare = try address(of: "stage_guard_entry")
    try stub.write([0x00, 0x00, 0x00, 0x14], to: spare)
    try stub.setProgramCounter(spare.rawValue)
    try stub.run(to: halt)
    guard stub.processor != first else { throw Failure("CPU \(first) halts twice") }
    try stub.setProgramCounter(try address(of: "stage_reset_without_a_word").rawValue)
  }

  /// Has the boot CPU enter the stage at EL1, with tables that were loaded for that.
  fileprivate mutating func enterAtEL1() throws {
    let (el1, el2) = (Self.word(\.el1_layout), Self.word(\.el2_layout))
    let size = MemoryLayout<baton_translation>.size / 8
    for index in 0..<size { block[el1 + index] = block[el2 + index] }
    let tcr = el1 + (MemoryLayout<baton_translation>.offset(of: \.tcr) ?? 0) / 8
    // EL2's RES1 bits are TG1 = 4 KiB and EPD1 here; T1SZ as T0SZ.
    block[tcr] |= (block[tcr] & 0x3F) << 16
    for index in tables.indices where tables[index] & (1 << 10 | 1) == 1 << 10 | 1 {
      // A block or page, by its access flag: AP[1] = 0, PXN as XN, UXN = 1.
      let isExecutable = tables[index] >> 54 & 1 == 0
      tables[index] &= ~(1 << 6)
      tables[index] |= 1 << 54 | (isExecutable ? 0 : 1 << 53)
    }
    try store()
    let down: [UInt32] = [
      0xD2B0_0000, 0xD51C_1100,  // HCR_EL2 = RW
      0xD280_0000 | 0x33FF << 5, 0xD51C_1140,  // CPTR_EL2: nothing is trapped
      0xD280_0000 | 0x3C5 << 5, 0xD51C_4000,  // SPSR_EL2 = EL1h, all masked
      0xD280_0001 | UInt32(base.rawValue & 0xFFFF) << 5,
      0xF2A0_0001 | UInt32(base.rawValue >> 16 & 0xFFFF) << 5, 0xD51C_4021,  // ELR_EL2 = the stage
      0xD69F_03E0,  // eret
    ]
    let place = PhysicalAddress(0x5000_0000)
    try stub.write(
      down.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } },
      to: place)
    try stub.setProgramCounter(place.rawValue)
  }
}
