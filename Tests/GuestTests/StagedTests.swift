import Lab
import PhysicalMemory
import Testing

/// The next kernel staged in the crashkernel region, in place (`make matrix` has the whole table).
@Suite struct StagedTests {
  private func handoff(_ kernel: String, verified: Bool) throws -> Handoff {
    var handoff = try Handoff(debian: kernel, in: Workspace())
    handoff.route = .crashKernel
    handoff.crashKernel = "128M"
    handoff.verified = verified
    return handoff
  }

  private func report(_ handoff: Handoff) async throws -> HandoffReport {
    try await GuestSlots.shared.withGuest { try await handoff.run(in: Workspace()) }
  }

  /// Guest instructions, unverified and verified. A bare trampoline takes 30.1 M and 60.0 M.
  @Test(arguments: [("6.1", 31_500_000, 80_000_000), ("5.10", 61_500_000, 110_000_000)])
  func inPlaceNextToNothingIsLeftToDo(
    kernel: String, goal: UInt64, verifiedGoal: UInt64
  ) async throws {
    async let sampled = report(try handoff(kernel, verified: false))
    async let verified = report(try handoff(kernel, verified: true))
    let (quick, full) = try await (sampled, verified)
    #expect(quick.measurement.handoff <= goal)
    #expect(full.measurement.handoff <= verifiedGoal)
    for report in [quick, full] {
      #expect(report.listing.route == "crashkernel")
      #expect(report.movedBytes <= MatrixCell.stagedLimit)
      #expect(report.measurement.uncachedAccesses <= 20_000)
      #expect(report.run.end == .poweredOff)
    }
  }

  /// The second userland compares the file in it with its digest.
  @Test func aLargeInitramfsCostsNothingAndArrivesWhole() async throws {
    var large = try handoff("6.1", verified: false)
    large.ballast = 64 << 20
    let prepared = large
    async let small = report(try handoff("6.1", verified: false)).measurement.handoff
    async let whole = report(prepared).measurement.handoff
    let (one, other) = try await (Double(small), Double(whole))
    #expect(abs(one - other) < one / 100, "\(one) and \(other) guest instructions")
  }

  /// The same to a per mille: next to nothing depends on the initrd's size.
  @Test(.matrix, arguments: ["6.1", "5.10"])
  func norDoesOneOf380MiBWhereMemoryIsTheSame(kernel: String) async throws {
    var figures: [UInt64] = []
    for mebibytes in [1, 120, 380] {
      var handoff = try handoff(kernel, verified: false)
      handoff.crashKernel = "448M"
      handoff.ballast = mebibytes << 20
      figures.append(try await report(handoff).measurement.handoff)
    }
    let (least, most) = (figures.min() ?? 0, figures.max() ?? 0)
    #expect((most - least) * 1000 < least, "\(figures)")
  }

  @Test(arguments: [
    MatrixCell("5.10", to: "6.1") { $0.level = .el1 },
    MatrixCell("6.1") { $0.level = .vhe },
    MatrixCell("6.12") { $0.processors = 2 },
  ])
  func eachLevelComesUpInPlace(cell: MatrixCell) async throws {
    var cell = cell
    cell.crashKernel = "128M"
    let prepared = cell
    let report = try await GuestSlots.shared.withGuest { try await prepared.run(in: Workspace()) }
    #expect(report.run.end == .poweredOff)
  }

  /// From 6.5 on the size that the kernel tells is that of both together.
  @Test func ofAHighAndALowReservationTheHighOneIsTaken() async throws {
    try await expectTheHighReservationIsTaken(on: "6.12")
  }

  @Test(.matrix, arguments: ["6.1"])
  func ofAHighAndALowReservationTheHighOneIsTakenThereToo(kernel: String) async throws {
    try await expectTheHighReservationIsTaken(on: kernel)
  }

  private func expectTheHighReservationIsTaken(on kernel: String) async throws {
    var handoff = try handoff(kernel, verified: false)
    handoff.crashKernel = "256M,high crashkernel=64M,low"
    handoff.machine.memory = 6144
    let report = try await report(handoff)
    #expect(report.listing.route == "crashkernel")
    let place = try #require(report.listing.ranges[.kernel])
    #expect(place.start.rawValue > 4 << 30, "\(place)")
    #expect(report.movedBytes <= MatrixCell.stagedLimit)
    #expect(report.run.end == .poweredOff)
  }

  private func incident(_ handoff: Handoff) async throws -> GuestRun {
    try await GuestSlots.shared.withGuest { try await handoff.runUnmeasured(in: Workspace()) }
  }

  private func kernelsStarted(_ run: GuestRun) -> Int {
    run.lines.count { $0.contains("] Linux version ") }
  }

  @Test(arguments: [("6.1", Machine.Level.el2), ("5.10", .el1), ("6.12", .vhe)])
  func aPanicWhileAnImageIsStagedResetsAndSaysWhy(
    kernel: String, level: Machine.Level
  ) async throws {
    var handoff = try handoff(kernel, verified: true)
    handoff.machine.level = level
    handoff.interlude = "echo c >/proc/sysrq-trigger"
    let run = try await incident(handoff)
    #expect(run.end == .reset, "\(run.lastLines)")
    #expect(
      run.lines.contains(
        "baton: the kernel panicked; what baton -l staged is no dump kernel; resetting"),
      "\(run.lastLines)")
    #expect(kernelsStarted(run) == 1)
  }

  /// As kdump-tools does it, with the very kernel that is staged, so that its bytes are the same.
  @Test(arguments: [true, false])
  func aDumpKernelLoadedBehindTheStagesBackIsNoticed(verified: Bool) async throws {
    var handoff = try handoff("6.1", verified: verified)
    // Where the kernel's memory can be read, -e looks there and refuses.
    handoff.interlude = """
      kexec -p /lab/kernel --initrd=/lab/initrd --append=1; echo "lab: kexec -p $?"
      baton -e; echo "lab: baton -e $?"
      busybox mount -o bind /dev/null /proc/kcore
      """
    let run = try await incident(handoff)
    #expect(run.lines.contains("lab: kexec -p 0"), "\(run.lastLines)")
    #expect(run.lines.contains("lab: baton -e 1"), "\(run.lastLines)")
    #expect(run.end == .reset, "\(run.lastLines)")
    #expect(
      run.lines.contains {
        $0.hasPrefix("baton: crash region differs from what was loaded")
          && $0.hasSuffix(": a dump kernel was loaded since; resetting")
      }, "\(run.lastLines)")
    #expect(kernelsStarted(run) == 1)
  }

  /// Nothing of that load lies where kernel or initrd of the staged one begin or end: what tells is
  /// the running kernel's own trace in the canary, the first of the pieces.
  @Test(arguments: HandoffMatrix.kernels)
  func aDumpKernelSomewhereInTheRegionIsNoticedByItsTrace(kernel: String) async throws {
    var handoff = try handoff(kernel, verified: false)
    handoff.crashKernel = "192M"
    handoff.ballast = 96 << 20
    // Without its record, Baton takes what it has staged for a dump kernel of somebody's.
    handoff.interlude = """
      busybox rm /run/baton/loaded.json
      region=$(busybox sed -n 's/^ *\\([0-9a-f]*\\)-.* : Crash kernel$/\\1/p' /proc/iomem)
      baton -p -i --mem-min=$(busybox printf 0x%x $((0x$region + 0x3000000))) /lab/kernel --append=1
      echo "lab: baton -p $?"
      """
    let run = try await incident(handoff)
    #expect(run.lines.contains("lab: baton -p 0"), "\(run.lastLines)")
    #expect(run.end == .reset, "\(run.lastLines)")
    #expect(
      run.lines.contains {
        $0.hasPrefix("baton: crash region differs from what was loaded")
          && $0.contains("(piece 1 of ")
          && $0.hasSuffix(": a dump kernel was loaded since; resetting")
      }, "\(run.lastLines)")
    #expect(kernelsStarted(run) == 1)
  }

  /// There is room for the larger one only: the old kernel moves the smaller one, the Image.
  @Test func whatTheRegionHasNoRoomForGoesTheOrdinaryWay() async throws {
    var handoff = try handoff("6.1", verified: true)
    handoff.crashKernel = "48M"
    handoff.ballast = 32 << 20
    let report = try await report(handoff)
    #expect(report.listing.route == "crashkernel")
    #expect(report.listing.relocatedBytes > 25 << 20)
    #expect(report.listing.relocatedBytes < 32 << 20)
    #expect(report.run.end == .poweredOff)
  }

  /// The stage's place is taken by the ordinary way, and the region is left alone. Neither slot is
  /// emptied by `-u` that names no more than the slot.
  @Test func whatAnotherToolHasLoadedIsLeftAlone() async throws {
    try await expectWhatAnotherToolHasLoadedIsLeftAlone(on: "6.1")
  }

  @Test(.matrix, arguments: ["5.10", "6.12"])
  func whatAnotherToolHasLoadedIsLeftAloneThereToo(kernel: String) async throws {
    try await expectWhatAnotherToolHasLoadedIsLeftAlone(on: kernel)
  }

  private func expectWhatAnotherToolHasLoadedIsLeftAlone(on kernel: String) async throws {
    var handoff = try handoff(kernel, verified: false)
    handoff.route = .auto
    handoff.preparation = """
      slots() {
        echo "lab: $1: $?: $(busybox cat /sys/kernel/kexec_loaded /sys/kernel/kexec_crash_loaded | busybox xargs)"
      }
      kexec -p -i /lab/kernel --initrd=/lab/initrd --append=1
      kexec -l -i /lab/kernel --append=1; slots loaded
      baton -u; slots -u
      baton -p -u; slots "-p -u"
      baton -u -f; slots "-u -f"
      baton -p -u -f; slots "-p -u -f"
      kexec -p -i /lab/kernel --initrd=/lab/initrd --append=1; slots again
      """
    let loading = "-i /lab/kernel --initrd=/lab/initrd --append=\"\(handoff.commandLine)\""
    handoff.interlude = """
      told() { baton -S | busybox grep -v "^why" | busybox sed "s/^/lab: told /"; }
      told
      baton -u; slots ours
      baton -l \(loading)
      kexec -l -i /lab/kernel --append=1; told
      baton -u; slots replaced
      kexec -p -u
      baton -l --via=crashkernel \(loading); told
      kexec -p -i /lab/kernel --append=1; told
      baton -u; slots "staged over"
      kexec -p -u
      baton -l --via=memory \(loading); slots anew
      """
    let report = try await report(handoff)
    #expect(report.listing.route == "memory")
    func said(_ what: String) -> String? {
      report.run.lines.first { $0.hasPrefix("lab: \(what): ") }.map {
        String($0.dropFirst(7 + what.utf8.count))
      }
    }
    let found = [
      "loaded", "-u", "-p -u", "-u -f", "-p -u -f", "again", "ours", "replaced", "staged over",
      "anew",
    ].map(said)
    let lines = report.run.lines.filter { $0.hasPrefix("baton: ") || $0.hasPrefix("lab: ") }
    #expect(
      found == [
        "0: 1 1", "0: 1 1", "0: 1 1", "0: 0 1", "0: 0 0", "0: 0 1", "0: 0 1", "0: 1 1", "0: 0 1",
        "0: 1 0",
      ], "\(lines)")
    let told = lines.filter { $0.hasPrefix("lab: told ") }.map { $0.dropFirst(10) }
    #expect(
      told == [
        "next kernel: loaded: /lab/kernel (via memory, verifies sample): baton -e starts it",
        "crash kernel: loaded",
        "next kernel: loaded by another tool, over /lab/kernel of baton -l: baton -e starts it",
        "crash kernel: loaded",
        "next kernel: loaded: /lab/kernel (via crashkernel, verifies sample): baton -e starts it",
        "crash kernel: not loaded: the next kernel is staged there, and a panic resets",
        "next kernel: loaded: /lab/kernel (via crashkernel, verifies sample), but a dump kernel was "
          + "loaded over it in the crashkernel region: load it again",
        "crash kernel: loaded",
      ], "\(lines)")
  }

  /// A region in which an Image may not run as it asks: the stage moves it down, MMU and caches on.
  @Test func aKernelThatMustLieLowIsMovedByTheStage() async throws {
    var handoff = try handoff("6.1", verified: true)
    handoff.kernelMustLieLow = true
    let report = try await report(handoff)
    #expect(report.listing.route == "crashkernel")
    #expect(report.movedBytes > 20 << 20)
    #expect(report.listing.relocatedBytes <= MatrixCell.stagedLimit)
    #expect(report.run.end == .poweredOff)
  }

  /// None of the lab's kernels has kexec_file_load(2): Debian's are built without. The call itself
  /// is tried, and its refusal told.
  @Test func aKernelWithoutALoaderOfItsOwnIsToldSo() async throws {
    var handoff = try Handoff(debian: "6.1", in: Workspace())
    handoff.route = .file
    let run = try await incident(handoff)
    #expect(run.lines.contains { $0.hasPrefix("baton: kexec_file_load: ") }, "\(run.lastLines)")
    #expect(run.lines.contains("lab: loaded 6"), "\(run.lastLines)")
    #expect(kernelsStarted(run) == 1)
  }
}
