import Lab
import Testing

/// A `baton -l` that is killed at one of its calls, over what another one has loaded. `KillAtLoad` follows it:
/// no clock has a say in when. All that such a load can leave, on a kernel that is played, have
/// `InterruptedLoadTests`.
@Suite struct InterruptedLoadGuestTests {
  /// Before its first call, or behind its last one and before the record of that.
  enum Moment: String {
    case beforeTheUnload = "before 1"
    case beforeTheRecord = "after 3"
  }

  @Test func whatItLeavesIsKnownAndUnloadedAndWhatIsWholeStarts() async throws {
    try await expectWhatItLeavesIsKnown(on: "6.1", thenStartedFrom: .beforeTheRecord)
  }

  @Test(
    .matrix,
    arguments: [
      ("6.1", Moment.beforeTheUnload), ("5.10", .beforeTheUnload), ("6.12", .beforeTheUnload),
      ("5.10", .beforeTheRecord), ("6.12", .beforeTheRecord),
    ])
  func soItIsThereToo(kernel: String, last: Moment) async throws {
    try await expectWhatItLeavesIsKnown(on: kernel, thenStartedFrom: last)
  }

  private static let script = """
    slots() {
      echo "lab: $1: $(busybox cat /sys/kernel/kexec_loaded /sys/kernel/kexec_crash_loaded | busybox xargs)"
    }
    told() { baton -S | busybox grep kernel: | busybox sed "s/^/lab: /"; }
    killed() {
      kill-at-load $1 $2 /bin/baton -l --via=$3 $files --append="$words lab.newer"
      slots "$1 $2: $?"
      told
    }
    unloaded() { baton -u; slots "-u: $?"; }
    older() { baton -l --via=$1 $files --append="$words"; }
    for moment in "before 1" "before 2" "before 3" "after 3"; do
      killed $moment crashkernel
      unloaded
      older crashkernel
    done
    for moment in "before 1" "after 1"; do
      older memory
      killed $moment memory
      unloaded
    done
    older memory
    killed after 1 memory
    kexec -l -i --mem-min=0x80000000 /lab/kernel --append=1
    told
    unloaded
    older crashkernel

    """

  private static let interrupted =
    "next kernel: loaded by a baton -l that was interrupted: baton -e starts it"
  private static let staged =
    "crash kernel: not loaded: the next kernel is staged there, and a panic resets"
  private static let leftBehind =
    "crash kernel: not loaded: what a baton -l staged there was left behind, and a panic resets; "
    + "baton -u removes it"

  private static let said = [
    "before 1: 0: 1 1", interrupted, staged, "-u: 0: 0 0",
    "before 2: 0: 0 1", "next kernel: not loaded", leftBehind, "-u: 0: 0 0",
    "before 3: 0: 0 1", "next kernel: not loaded", leftBehind, "-u: 0: 0 0",
    "after 3: 0: 1 1", interrupted, staged, "-u: 0: 0 0",
    "before 1: 0: 1 0", interrupted, "crash kernel: not loaded", "-u: 0: 0 0",
    "after 1: 0: 1 0", interrupted, "crash kernel: not loaded", "-u: 0: 0 0",
    "after 1: 0: 1 0", interrupted, "crash kernel: not loaded",
    "next kernel: loaded, but not by this boot's baton -l: baton -e starts it",
    "crash kernel: not loaded", "-u: 0: 1 0",
  ]

  private func expectWhatItLeavesIsKnown(
    on kernel: String, thenStartedFrom last: Moment
  ) async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: kernel, in: workspace)
    handoff.crashKernel = "128M"
    handoff.route = .crashKernel
    handoff.verified = false
    handoff.files = [try workspace.killAtLoad()]
    let commandLine = handoff.commandLine
    handoff.interlude =
      "files='-i /lab/kernel --initrd=/lab/initrd' words='\(commandLine)'\n"
      + Self.script + "killed \(last.rawValue) crashkernel"
    let run = try await GuestSlots.shared.withGuest { [handoff] in
      try await handoff.runUnmeasured(in: workspace)
    }
    #expect(run.end == .poweredOff, "\(run.lastLines)")
    let lines = run.lines.filter { $0.hasPrefix("lab: ") }.map { String($0.dropFirst(5)) }
    let first = try #require(lines.firstIndex { $0.hasPrefix("before 1: ") }, "\(run.lastLines)")
    let isNewer = last == .beforeTheRecord
    let end = [
      "\(last.rawValue): 0: 1 1", Self.interrupted, Self.staged, "second userland",
      "command line: \(commandLine)\(isNewer ? " lab.newer" : "")", "finished",
    ]
    #expect(Array(lines[first...]) == Self.said + end)
    #expect(run.lines.contains { $0.hasPrefix("baton: EL2, MMU and caches on: moved 0 bytes") })
  }
}
