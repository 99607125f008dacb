import Lab
import PhysicalMemory
import Testing

/// Debian's kernels crash for real (SysRq c), and the kernel that `baton -p` loaded comes up beside
/// the dead one's memory.
@Suite struct CrashKernelTests {
  private struct Found {
    let dump: CoreDump
    let run: GuestRun
    var stageLine: String? { run.lines.first { $0.hasPrefix("baton: EL") } }
  }

  private func crash(
    _ first: String, to next: String? = nil, verified: Bool = true, tool: Handoff.Tool = .baton,
    reserving reservation: String = "256M",
    on adapt: (inout Machine) -> Void = { _ in }
  ) async throws -> Found {
    let workspace = Workspace()
    var handoff = try Handoff(debian: first, to: next, in: workspace)
    handoff.crashKernel = reservation
    handoff.crashes = true
    handoff.verified = verified
    handoff.tool = tool
    adapt(&handoff.machine)
    let run = try await GuestSlots.shared.withGuest { [handoff] in
      try await handoff.runUnmeasured(in: workspace)
    }
    return Found(dump: CoreDump(run.lines), run: run)
  }

  private func expectDump(_ found: Found, cpus: Int, isLogReadable: Bool = true) {
    let comment: Comment = "\(found.run.lastLines)"
    #expect(found.run.end == .poweredOff, comment)
    #expect((found.dump.size ?? 0) > 1 << 30, comment)
    if isLogReadable {
      #expect(
        found.dump.lastWords.contains {
          $0.contains("Kernel panic - not syncing: sysrq triggered")
        },
        comment)
    }
    // A note of each CPU's registers, and from one of them a way into the handler of SysRq.
    #expect(found.dump.frames.count == cpus, comment)
    #expect(found.dump.cpusInHandler == 1, "\(found.dump)")
    // The kernel writes the note of the CPU that panics there, whoever has loaded the crash kernel.
    #expect(
      found.dump.frames.contains { frames in
        frames.first.map { found.dump.crashFunction?.contains($0) ?? false } ?? false
      }, "\(found.dump)")
  }

  @Test(arguments: [("5.10", Machine.Level.el1), ("6.1", .el2), ("6.12", .vhe)])
  func aPanicStartsTheVerifiedCrashKernelWhichFindsTheDeadOnesMemory(
    kernel: String, level: Machine.Level
  ) async throws {
    let found = try await crash(kernel) { $0.level = level }
    // makedumpfile 1.7.2 knows no kernel that is built for 52 bits of virtual address with pages of
    // 4 KiB, as Debian's 6.12 is; the frames are followed there, too.
    expectDump(found, cpus: 1, isLogReadable: kernel != "6.12")
    #expect(found.stageLine?.contains("verified") == true)
  }

  @Test func uncheckedThereIsNothingInBetweenAndEveryCPUHasItsNote() async throws {
    let found = try await crash("6.1", verified: false) {
      $0.level = .el1
      $0.processors = 4
    }
    expectDump(found, cpus: 4)
    #expect(found.stageLine == nil)
  }

  @Test(.matrix, arguments: ["5.10", "6.12"])
  func whatPRSTATUSHoldsIsWhatItHoldsForACrashKernelOfKexecTools(kernel: String) async throws {
    let ours = try await crash(kernel, verified: false)
    let theirs = try await crash(kernel, verified: false, tool: .kexecTools)
    #expect(ours.dump.relativeFrames == theirs.dump.relativeFrames, "\(theirs.run.lastLines)")
    #expect(ours.dump.frames.first?.count ?? 0 > 4)
    #expect(theirs.dump.cpusInHandler == 1)
  }

  @Test func highAndLowReservationsAreBothUsed() async throws {
    let found = try await crash(
      "6.1", reserving: "256M,high crashkernel=64M,low"
    ) {
      $0.level = .vhe
      $0.memory = 6144
      $0.hasITS = true
      $0.processors = 2
    }
    expectDump(found, cpus: 2)
    #expect((found.dump.size ?? 0) > 5 << 30)
    let starting = try #require(found.stageLine?.split(separator: " ").last)
    #expect((UInt64(starting.dropFirst(2), radix: 16) ?? 0) > 1 << 32)
  }

  @Test func aFlippedBitEndsInAMessageAndAReset() async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.crashKernel = "256M"
    handoff.crashes = true
    try await HostFile.withTemporaryDirectory { [handoff] directory in
      let run = try await GuestSlots.shared.withGuest {
        let snapshot = try await StageSnapshot(of: handoff, in: directory, workspace)
        let kernel = try #require(snapshot.listing.ranges[.kernel])
        return try await snapshot.run(
          flipping: .init(kernel.start + kernel.size / 2, index: 3))
      }
      #expect(run.end == .reset, "\(run.lastLines)")
      let messages = run.lines.filter { !$0.isEmpty }
      #expect(messages.count == 1, "\(messages)")
      #expect(
        messages.first?.hasPrefix("baton: kernel differs from what was loaded, at 0x") == true,
        "\(messages)")
    }
  }
}
