import Lab
import Testing

/// `kexec_file_load(2)` on real kernels, which `make file-kernels` builds: none of Debian's for arm64 has
/// it. 6.1-file has both calls, 6.1-file-only no other, and looks for signatures.
@Suite(.matrix, .fileKernels) struct FileLoadGuestTests {
  private static let both = "6.1-file"
  private static let fileOnly = "6.1-file-only"

  private func handoff(_ kernel: String, via route: Handoff.Route?) throws -> Handoff {
    var handoff = try Handoff(debian: kernel, to: "6.1", in: Workspace())
    handoff.route = route
    return handoff
  }

  private func unmeasured(_ handoff: Handoff) async throws -> GuestRun {
    try await GuestSlots.shared.withGuest { try await handoff.runUnmeasured(in: Workspace()) }
  }

  private static let lockdown = """
    busybox mount -t securityfs none /sys/kernel/security
    echo integrity >/sys/kernel/security/lockdown
    """

  @Test(arguments: [Machine.Level.el1, .el2, .vhe])
  func theNextKernelStartsAtTheLevelThatWasEntered(level: Machine.Level) async throws {
    var handoff = try handoff(Self.both, via: .file)
    handoff.machine.level = level
    handoff.machine.processors = 2
    let run = try await unmeasured(handoff)
    let comment: Comment = "\(run.lastLines)"
    #expect(run.end == .poweredOff, comment)
    #expect(run.lines.contains("  via file: --via=file"), comment)
    let bye = try #require(run.lines.firstIndex { $0.hasSuffix("Bye!") }, comment)
    let next = run.lines[bye...]
    let number = level == .el1 ? 1 : 2
    for words in [
      "CPU: All CPU(s) started at EL\(number)", "smp: Brought up 1 node, 2 CPUs",
      "lab: second userland", "lab: command line: \(handoff.commandLine)",
    ] {
      #expect(next.contains { $0.hasSuffix(words) }, comment)
    }
    // Nothing of Baton's runs in between.
    #expect(!next.contains { $0.hasPrefix("baton: ") }, comment)
  }

  @Test(arguments: [
    (fileOnly, "", "this kernel was built without kexec_load"),
    (both, lockdown, "this kernel is locked down"),
    // Where nothing shows it.
    (both, lockdown + "\nbusybox umount /sys/kernel/security", "this kernel refuses kexec_load"),
  ])
  func autoGoesByItWhereNothingElseWorks(
    kernel: String, preparation: String, reason: String
  ) async throws {
    var handoff = try handoff(kernel, via: .auto)
    handoff.crashKernel = "128M"
    handoff.preparation = preparation
    handoff.interlude = """
      slots() {
        echo "lab: $1: $?: $(busybox cat /sys/kernel/kexec_loaded /sys/kernel/kexec_crash_loaded | busybox xargs)"
      }
      slots loaded
      baton -S | busybox head -n 1 | busybox sed 's/^/lab: told /'
      baton -u; slots -u
      baton -p /lab/kernel --initrd=/lab/initrd --append=1; slots -p
      baton -S -p | busybox grep ^crash | busybox sed 's/^/lab: told /'
      baton -p -u; slots "-p -u"
      baton -l /lab/kernel --initrd=/lab/initrd --append="\(handoff.commandLine)"; slots anew
      """
    let run = try await unmeasured(handoff)
    let said = run.lines.filter { $0.hasPrefix("lab: ") }
    let comment: Comment = "\(run.lines.filter { !$0.hasPrefix("[") })"
    #expect(run.end == .poweredOff, comment)
    for line in [
      "lab: loaded: 0: 1 0",
      "lab: told next kernel: loaded: /lab/kernel (via file, verifies nothing): baton -e starts it",
      "lab: -u: 0: 0 0", "lab: -p: 0: 0 1",
      "lab: told crash kernel: loaded: /lab/kernel (verifies nothing): a panic starts it",
      "lab: -p -u: 0: 0 0", "lab: anew: 0: 1 0", "lab: second userland",
      "lab: command line: \(handoff.commandLine)",
    ] {
      #expect(said.contains(line), comment)
    }
    #expect(
      run.lines.contains {
        $0.hasPrefix("baton: warning: ") && $0.contains(reason)
          && $0.hasSuffix("nothing is verified between the kernels")
      }, comment)
  }

  /// Loads anew, without an initrd, a kernel that resets when it finds no root. Of these kernels, this one
  /// knows UEFI and takes what it has no key for.
  private func withoutInitrdBehindUEFI(
    preparing preparation: String = ":", then next: String = ":"
  ) async throws -> GuestRun {
    var handoff = try handoff(Self.fileOnly, via: .file)
    handoff.machine.platform = .firmwareDeviceTree
    handoff.interlude = """
      \(preparation)
      baton -l /lab/kernel --via=file --append="\(handoff.commandLine) panic=-1"; echo "lab: anew $?"
      \(next)
      """
    let run = try await unmeasured(handoff)
    #expect(run.lines.contains("lab: anew 0"), "\(run.lastLines)")
    return run
  }

  /// It does not take for one what lies where the boot loader's was.
  @Test func aKernelWithoutAnInitrdLooksForNoOtherBehindUEFI() async throws {
    let run = try await withoutInitrdBehindUEFI()
    let comment: Comment = "\(run.lastLines)"
    let bye = try #require(run.lines.firstIndex { $0.hasSuffix("Bye!") }, comment)
    let next = run.lines[bye...]
    #expect(next.contains { $0.contains("Trying to unpack rootfs image") }, comment)
    #expect(!next.contains { $0.contains("Initramfs unpacking failed") }, comment)
    #expect(next.contains { $0.contains("Unable to mount root fs") }, comment)
    #expect(!run.lines.contains { $0.contains("empty initrd") }, comment)
    #expect(run.end == .reset, comment)
  }

  @Test func aPolicyThatWantsInitrdsSignedLeavesItWithoutAny() async throws {
    let run = try await withoutInitrdBehindUEFI(
      preparing: """
        busybox mount -t securityfs none /sys/kernel/security
        echo "appraise func=KEXEC_INITRAMFS_CHECK appraise_type=imasig" >/sys/kernel/security/ima/policy
        """,
      then: "busybox poweroff -f")
    let comment: Comment = "\(run.lastLines)"
    #expect(
      run.lines.contains {
        $0.hasPrefix("baton: warning: the running kernel takes no empty initrd (Permission denied)")
      }, comment)
    #expect(run.end == .poweredOff, comment)
  }

  @Test(arguments: [(both, Handoff.Route.file), (fileOnly, .auto)])
  func aPanicStartsTheCrashKernelWhichFindsTheDeadOnesMemory(
    kernel: String, route: Handoff.Route
  ) async throws {
    // With -p there is one way, but for this.
    var handoff = try handoff(kernel, via: route == .file ? .file : nil)
    handoff.crashKernel = "256M"
    handoff.crashes = true
    let run = try await unmeasured(handoff)
    let dump = CoreDump(run.lines)
    #expect(run.end == .poweredOff, "\(run.lastLines)")
    #expect((dump.size ?? 0) > 1 << 30, "\(run.lastLines)")
    // makedumpfile finds no log in this kernel's; the note of the CPU that crashed is there.
    let register = dump.frames.first?.first
    #expect(register.map { dump.crashFunction?.contains($0) ?? false } == true, "\(dump)")
    #expect(!run.lines.contains { $0.hasPrefix("baton: EL") })
  }

  /// The kernel chooses the places, which are read back.
  @Test func whatAnotherToolLoadsOverItIsToldFromIt() async throws {
    var handoff = try handoff(Self.both, via: .file)
    handoff.crashKernel = "128M"
    let files = "/lab/kernel --initrd=/lab/initrd"
    let load = "\(files) --via=file --append=\"\(handoff.commandLine)\""
    handoff.interlude = """
      told() { baton -S | busybox grep "^$1\\|^by" | busybox sed "s/^/lab: $2: /"; }
      slots() {
        echo "lab: $1: $(busybox cat /sys/kernel/kexec_loaded /sys/kernel/kexec_crash_loaded | busybox xargs)"
      }
      told next alone
      kexec -l -i /lab/kernel --append=1; told next memory
      baton -u; slots -u
      baton -l \(load); told next again
      kexec -s -l /lab/kernel --append=1; told next file
      baton -u; slots -u
      baton -l \(load)
      kexec -s -l \(files) --append="\(handoff.commandLine) 1"; told next words
      baton -l \(load)
      baton -u; slots -u
      baton -p \(load); told crash alone
      kexec -p -i /lab/kernel --append=1; told crash memory
      baton -p -u; slots "-p -u"
      baton -p \(load); told crash again
      kexec -s -p /lab/kernel --append=1; told crash file
      baton -p -u; slots "-p -u"
      baton -p \(load)
      kexec -s -p \(files) --append="\(handoff.commandLine) 1"; told crash words
      baton -p \(load)
      baton -p -u; slots "-p -u"
      baton -l \(load); told next anew
      """
    let run = try await unmeasured(handoff)
    let comment: Comment = "\(run.lines.filter { !$0.hasPrefix("[") })"
    #expect(run.end == .poweredOff, comment)
    let next = "next kernel: loaded: /lab/kernel (via file, verifies nothing): baton -e starts it"
    let over =
      "next kernel: loaded by another tool, over /lab/kernel of baton -l: baton -e starts it"
    let crash = "crash kernel: loaded: /lab/kernel (verifies nothing): a panic starts it"
    let others = "crash kernel: loaded"
    let said = run.lines.filter { $0.hasPrefix("lab: ") }
    let first = try #require(said.firstIndex { $0.hasPrefix("lab: alone: ") }, comment)
    let expected: [String] = [
      "alone: \(next)", "memory: \(over)", "-u: 1 0", "again: \(next)", "file: \(over)",
      "-u: 1 0", "words: \(over)", "-u: 0 0",
      "alone: \(crash)", "memory: \(others)", "-p -u: 0 1", "again: \(crash)",
      "file: \(others)", "-p -u: 0 1", "words: \(others)", "-p -u: 0 0",
      "anew: \(next)", "second userland", "command line: \(handoff.commandLine)", "finished",
    ]
    #expect(said[first...].map { String($0.dropFirst(5)) } == expected, comment)
  }

  /// The next kernel is signed by Debian, whose key this kernel does not have.
  @Test func aLockedDownKernelThatWantsASignatureSaysSo() async throws {
    var handoff = try handoff(Self.fileOnly, via: .auto)
    handoff.preparation = Self.lockdown
    let run = try await unmeasured(handoff)
    #expect(run.lines.contains("lab: loaded 5"), "\(run.lastLines)")
    #expect(
      run.lines.contains {
        $0.hasPrefix("baton: kexec_file_load: it is refused to this process or for this image")
      }, "\(run.lastLines)")
  }
}
