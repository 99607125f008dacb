import LinuxHost
import Testing

@testable import BatonCommand

/// Called as `kexec`: what kexec-tools makes of a command line, its exit statuses and its effects.
@Suite struct KexecGrammarTests {
  private static func invocation(_ words: String) throws -> Invocation {
    try Invocation(parsing: words.split(separator: " ").map { String($0) }, as: .kexec)
  }

  @Test func `The program's name decides, with or without folders in front`() {
    for name in ["kexec", "/sbin/kexec", "./kexec", "/usr/sbin//kexec"] {
      #expect(Caller(programName: name) == .kexec)
    }
    for name in ["baton", "/usr/sbin/baton", "", "/", "kexec-tools", "/kexec/baton"] {
      #expect(Caller(programName: name) == .baton)
    }
  }

  @Test(arguments: [
    ("-l I", Invocation.Action.load(image: "I"), Invocation.AfterLoading.nothing),
    ("I", .load(image: "I"), .shutDown), ("-f I", .load(image: "I"), .execute),
    ("-le I", .load(image: "I"), .execute), ("-l -f I", .load(image: "I"), .execute),
    ("-f -l I", .load(image: "I"), .nothing), ("-e -l I", .load(image: "I"), .nothing),
    ("-u -l I", .load(image: "I"), .nothing), ("-p I", .load(image: "I"), .nothing),
    ("-l I -u", .unload, .nothing), ("-l J --append=x I", .load(image: "J"), .nothing),
    ("-e", .execute, .nothing), ("-e --append=x", .execute, .nothing), ("-u", .unload, .nothing),
    ("-p -u", .unload, .nothing), ("-u -p", .unload, .nothing),
    ("-e --dtb=D I", .execute, .nothing), ("-S -l -u", .status, .nothing),
  ])
  func `The last word decides what is done`(
    words: String, action: Invocation.Action, after: Invocation.AfterLoading
  ) throws {
    let invocation = try Self.invocation(words)
    #expect(invocation.action == action)
    #expect(invocation.afterLoading == after)
  }

  @Test(arguments: [
    ("-S", KexecSlot.crash), ("-S -l", .normal), ("-l -S", .normal), ("-S -p", .crash),
    ("-Slp", .crash), ("-S -u", .crash), ("-u", .normal), ("-pu", .crash), ("-up", .crash),
    ("-p I", .crash), ("-l I", .normal),
  ])
  func `Without -l, a question is about the crash kernel`(words: String, slot: KexecSlot) throws {
    #expect(try Self.invocation(words).slot == slot)
  }

  @Test(arguments: [
    ("-e", true, true), ("-f I", true, true), ("-ex", true, false), ("-ey", false, true),
    ("-fxy I", false, false), ("-x -e", true, false), ("-l I", true, false),
    ("-ly I", false, false), ("-p I", false, false), ("-u", false, false),
  ])
  func `File systems are written back and interfaces taken down when kexec-tools does so`(
    words: String, syncs: Bool, takesInterfacesDown: Bool
  ) throws {
    let invocation = try Self.invocation(words)
    #expect(invocation.syncs == syncs)
    #expect(invocation.takesInterfacesDown == takesInterfacesDown)
  }

  @Test func `Every abbreviation that kexec-tools takes is taken, for the same option`() {
    // The long options of kexec-tools on arm64; 2.0.25 lacks the last three.
    let names = [
      "help", "version", "force", "no-checks", "no-ifdown", "no-sync", "load", "unload", "exec",
      "exec-live-update", "load-preserve-context", "load-jump-back-helper", "load-live-update",
      "entry", "type", "load-panic", "mem-min", "mem-max", "reuseinitrd", "kexec-file-syscall",
      "kexec-syscall", "kexec-syscall-auto", "debug", "status", "print-ckr-size", "append",
      "command-line", "dtb", "initrd", "serial", "ramdisk", "reuse-cmdline", "hotplug", "no-cma",
      "force-dtb",
    ]
    func parsed(_ option: String) -> Result<Invocation, UsageError> {
      Result { () throws(UsageError) in
        // Each option at its full length takes the value that it takes.
        let value =
          switch true {
          case "type".hasPrefix(option): "=Image"
          case "entry".hasPrefix(option), "mem-min".hasPrefix(option): "=0"
          case "mem-max".hasPrefix(option): "=9"
          case _
          where ["append", "command-line", "dtb", "initrd", "serial", "ramdisk"].contains {
            $0.hasPrefix(option)
          }: "=X"
          default: ""
          }
        return try Invocation(parsing: ["I", "--" + option + value], as: .kexec)
      }
    }
    for name in names {
      let known = CommandOption.all.contains {
        $0.isOfKexecTools && $0.long.contains { String($0) == name }
      }
      #expect(known, "--\(name)")
      for length in 1..<name.count {
        let short = String(name.prefix(length))
        let meant = names.filter { $0.hasPrefix(short) }
        guard meant.count == 1, !names.contains(short) else { continue }
        #expect(parsed(short) == parsed(name), "--\(short)")
      }
    }
  }

  @Test func `What only Baton has is there, written out`() throws {
    #expect(try Self.invocation("-l I --dry-run").isDryRun)
    #expect(throws: UsageError.unknownOption("--dry")) { try Self.invocation("-l I --dry") }
  }

  @Test(arguments: [
    ("-S", "0\n", "0\n", Int32(0)), ("-S", "1\n", "0\n", 0), ("-S", "0\n", "1\n", 1),
    ("-S -l", "1\n", "0\n", 1), ("-S -l", "0\n", "1\n", 0), ("-S -p", "1\n", "1\n", 1),
  ])
  func `-S says nothing and exits with 1 where the slot is loaded`(
    words: String, normal: String, crash: String, status: Int32
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_loaded"] = Array(normal.utf8)
    linux.files["/sys/kernel/kexec_crash_loaded"] = Array(crash.utf8)
    #expect(
      Baton.runAsKexec(words.split(separator: " ").map { String($0) }, system: linux) == status)
    #expect(linux.output == "")
    #expect(linux.complaints == "")
  }

  @Test(arguments: [
    (["-e"], Int32(1), "no kernel is loaded"), (["--frobnicate"], 1, "--frobnicate"),
    (["-l"], 255, "needs a kernel image"), ([], 255, "needs a kernel image"),
    (["-l", "/none"], 1, "/none: No such file"),
    (["-l", "/sys/firmware/fdt"], 255, "not an arm64"),
    (["-t", "bzImage", "-l", "/boot/Image"], 255, "--type takes"),
    (["--mem-min=x", "-l", "/boot/Image"], 1, "--mem-min takes"),
    (["--entry=8", "-l", "/boot/Image"], 1, "do not jump back"),
    (["--hotplug", "-p", "/boot/Image"], 1, "--hotplug has no meaning here"),
  ])
  func `A failure has kexec-tools' exit status and a sentence`(
    arguments: [String], status: Int32, naming: String
  ) throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.runAsKexec(arguments, system: linux) == status)
    #expect(linux.complaints.hasPrefix("kexec: "))
    #expect(linux.complaints.contains(naming), "\(linux.complaints)")
    #expect(linux.effects.isEmpty)
  }

  @Test(arguments: [("kexec", Caller.kexec), ("baton", .baton)])
  func `Whatever is said in a run begins with the name that was typed`(
    name: String, caller: Caller
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files["/boot/initrd"] = [UInt8](repeating: 7, count: 40 << 20)
    linux.isErrorTerminal = true
    linux.clockStep = 200
    linux.files["/sys/class/watchdog/watchdog0/state"] = Array("active\n".utf8)
    linux.fileFailures["/var/lib/baton/last.json"] = .ioError
    linux.interfaces = ["eth0"]
    let arguments = ["-le", "/boot/Image", "--initrd=/boot/initrd"]
    switch caller {
    case .kexec: #expect(Baton.runAsKexec(arguments, system: linux) == 255)
    case .baton: #expect(Baton.run(arguments, system: linux) == .systemCall)
    }
    let lines = linux.complaints.replacing("\u{1b}[K", with: "").unicodeScalars
      .split { $0 == "\r" || $0 == "\n" }.map { String($0) }
    for line in lines { #expect(line.hasPrefix(name + ": "), "\(line)") }
    for words in [
      "reading: ", "digesting: ", "loading: ", "warning: /var/lib/baton/last.json",
      "watchdog0 is running", "warning: network interface eth0", "the running kernel did not start",
    ] {
      #expect(lines.contains { $0.hasPrefix(name + ": " + words) }, "\(words)")
    }
    #expect(linux.kernelLog.hasPrefix("baton: starting"))
  }

  @Test func `Advice on what to type names what was typed`() throws {
    for (arguments, words) in [
      (["-l"], "needs a kernel image: kexec -l IMAGE (kexec --help lists the options)"),
      (["-e"], "no kernel is loaded; load one with kexec -l IMAGE"),
    ] {
      let linux = try FakeLinux.machine()
      _ = Baton.runAsKexec(arguments, system: linux)
      #expect(linux.complaints.hasSuffix(words + "\n"), "\(linux.complaints)")
    }
    let linux = FakeLinux()
    #expect(Baton.runAsKexec(["--help"], system: linux) == 0)
    #expect(linux.output.hasPrefix("Usage: kexec -l IMAGE"))
  }

  @Test func `To scripts, what is staged in the crash slot is no crash kernel`() throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.runAsKexec(["-l", "/boot/Image"], system: linux) == 0)
    #expect(linux.files["/sys/kernel/kexec_crash_loaded"] == Array("1\n".utf8))
    #expect(Baton.runAsKexec(["-S"], system: linux) == 0)
    #expect(Baton.runAsKexec(["-S", "-l"], system: linux) == 1)
    let effects = linux.effects
    #expect(Baton.runAsKexec(["-p", "-u"], system: linux) == 0)
    #expect(linux.complaints.hasSuffix("what -l has staged in its place stays\n"))
    #expect(linux.effects == effects)
    // Asked by its own name it refuses.
    #expect(Baton.run(["-p", "-u"], system: linux) == .unsupported)
  }

  @Test func `A refused system call exits with 255`() throws {
    let linux = try FakeLinux.machine()
    linux.kexecLoadFailure = .notPermitted
    linux.kexecFileLoadFailure = .notPermitted
    #expect(Baton.runAsKexec(["-u"], system: linux) == 255)
    #expect(Baton.runAsKexec(["-l", "/boot/Image"], system: linux) == 255)
  }

  @Test func `Without an action the kernel is loaded and shutdown is called`() throws {
    let linux = try FakeLinux.machine()
    // A shutdown that succeeds does not return.
    #expect(Baton.runAsKexec(["/boot/Image"], system: linux) == 255)
    #expect(linux.effects.count == 2)
    #expect(linux.effects.last == .shutdown)
    #expect(linux.complaints.contains("shutdown could not be run"))
  }

  @Test(arguments: [["-f", "/boot/Image"], ["-le", "/boot/Image"]])
  func `Loading and starting in one call does both`(arguments: [String]) throws {
    for run in [Baton.runAsKexec, { Baton.run($0, system: $1).rawValue }]
      as [([String], FakeLinux) -> Int32]
    {
      let linux = try FakeLinux.machine()
      linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
      _ = run(arguments, linux)
      #expect(linux.effects.count == 4)
      #expect(linux.effects.suffix(3) == [.sync, .interfacesDown, .reboot])
    }
  }

  @Test(arguments: [
    ("-e", [FakeLinux.Effect.sync, .interfacesDown, .reboot]), ("-ex", [.sync, .reboot]),
    ("-ey", [.interfacesDown, .reboot]), ("-exy", [.reboot]), ("-y -x -e", [.reboot]),
    ("-f /boot/Image", [.sync, .interfacesDown, .reboot]), ("-fx /boot/Image", [.sync, .reboot]),
    ("-fy /boot/Image", [.interfacesDown, .reboot]), ("-fxy /boot/Image", [.reboot]),
    ("-lexy /boot/Image", [.reboot]),
  ])
  func `A start syncs, takes interfaces down and restarts; -x and -y leave theirs out`(
    words: String, ends: [FakeLinux.Effect]
  ) throws {
    let arguments = words.split(separator: " ").map { String($0) }
    for run in [Baton.runAsKexec, { Baton.run($0, system: $1).rawValue }]
      as [([String], FakeLinux) -> Int32]
    {
      let linux = try FakeLinux.machine()
      linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
      _ = run(arguments, linux)
      let (loads, rest) = (linux.effects.dropLast(ends.count), linux.effects.suffix(ends.count))
      #expect(Array(rest) == ends)
      // What was loaded before, if asked to, was so first, and nothing else was done.
      #expect(loads.isEmpty == !words.contains("Image"))
      for effect in loads {
        guard case .kexecLoad(slot: .normal, _, _) = effect else {
          Issue.record("\(effect)")
          continue
        }
      }
    }
  }

  @Test(arguments: [("-l", [FakeLinux.Effect.sync]), ("-ly", []), ("-lx", [.sync])])
  func `A load alone syncs as kexec-tools' does, and as baton does not`(
    words: String, ends: [FakeLinux.Effect]
  ) throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.runAsKexec([words, "/boot/Image"], system: linux) == 0)
    #expect(Array(linux.effects.dropFirst()) == ends)
    let other = try FakeLinux.machine()
    #expect(Baton.run(["-l", "/boot/Image"], system: other) == .success)
    #expect(other.effects.count == 1)
  }

  @Test(arguments: [
    // What was asked for, what the kernel lacks; whether it is loaded, and by which call.
    ("-c", nil, true, true), ("-a", nil, true, true), ("", nil, true, true),
    ("-s", nil, true, false), ("-c", Errno.noSuchSystemCall, false, true),
    ("-a", .noSuchSystemCall, true, false), ("-ca", .noSuchSystemCall, true, false),
    ("-sc", nil, true, true), ("-cs", nil, true, false),
  ])
  func `-c, -s and -a choose the system call, the last of them`(
    option: String, memoryFailure: Errno?, isLoaded: Bool, byMemory: Bool
  ) throws {
    let linux = try FakeLinux.machine()
    linux.kexecLoadFailure = memoryFailure
    let words = (option.isEmpty ? [] : [option]) + ["-l", "/boot/Image", "--append=quiet"]
    #expect((Baton.runAsKexec(words, system: linux) == 0) == isLoaded)
    let calls = linux.effects.filter { $0 != .sync }
    switch try #require(calls.last) {
    case .kexecLoad: #expect(byMemory)
    case .kexecFileLoad: #expect(!byMemory)
    default: Issue.record("\(calls)")
    }
  }

  @Test func `What arm64 kernels do anyway may be asked for`() throws {
    for option in ["--force-dtb", "--no-cma", "--entry=0"] {
      let linux = try FakeLinux.machine()
      #expect(Baton.runAsKexec([option, "-l", "/boot/Image"], system: linux) == 0)
    }
  }

  @Test(arguments: [
    "--load-preserve-context", "--load-jump-back-helper", "--load-live-update",
    "--exec-live-update", "--hotplug",
  ])
  func `What arm64 has no use for is refused with the reason`(option: String) throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.runAsKexec([option, "-l", "/boot/Image"], system: linux) == 1)
    #expect(linux.complaints.hasPrefix("kexec: \(option) has no meaning here: "))
    #expect(linux.effects.isEmpty)
  }

  @Test func `An interface that stays up is a warning`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
    linux.interfaceFailure = .busy
    _ = Baton.run(["-e"], system: linux)
    #expect(linux.effects == [.sync, .interfacesDown, .reboot])
    #expect(linux.complaints.contains("network interface"))
  }

  @Test(arguments: [([KexecSlot.crash], ["-p", "-u"]), ([.normal], ["-u"])])
  func `-u empties the slot that is meant, under either name`(
    slots: [KexecSlot], arguments: [String]
  ) throws {
    let linux = try FakeLinux.machine()
    let effects = slots.map { FakeLinux.Effect.kexecLoad(slot: $0, entry: 0, segments: []) }
    #expect(Baton.runAsKexec(arguments, system: linux) == 0)
    #expect(linux.effects == effects)
    #expect(Baton.run(arguments, system: linux) == .success)
    #expect(linux.effects == effects + effects)
  }

  @Test func `The size of the crash kernel's region is that of the last, in bytes`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.runAsKexec(["--print-ckr-size"], system: linux) == 0)
    let lines = "40000000-bfffffff : System RAM\n  80000000-87ffffff : Crash kernel\n"
    linux.files["/proc/iomem"] = Array(lines.utf8)
    #expect(Baton.run(["--print-ckr-size"], system: linux) == .success)
    #expect(linux.output == "0\n134217728\n")
    // Two that touch are two.
    linux.files["/proc/iomem"] = Array(
      (lines + "  88000000-89ffffff : Crash kernel\n").utf8)
    #expect(Baton.run(["--print-ckr-size"], system: linux) == .success)
    #expect(linux.output == "0\n134217728\n33554432\n")
  }

  @Test func `The second word of the version is one of kexec-tools'`() {
    let linux = FakeLinux()
    #expect(Baton.runAsKexec(["-v"], system: linux) == 0)
    #expect(linux.output.hasPrefix("kexec-tools 2.0.32, by baton "))
  }
}
