import LinuxHost
import PhysicalMemory
import Testing

@testable import BatonCommand

/// The small files of the kernel's, and those that Baton left, each broken in every way that has a name:
/// what is said then, or what is done without it. What is damaged at random is in `DamagedSystemTests`.
@Suite struct BrokenSystemTests {
  /// One way to be broken.
  struct Broken: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Nil: there is no such file.
    let content: [UInt8]?

    init(_ name: String, _ content: String?) {
      testDescription = name
      self.content = content.map { Array($0.utf8) }
    }

    init(_ name: String, bytes: [UInt8]) {
      testDescription = name
      content = bytes
    }
  }

  private static let load = ["-l", "/boot/Image", "--initrd=/boot/initrd"]

  /// The answer of a command on a machine whose file at `path` is broken, from both streams.
  private static func said(
    _ command: [String], _ status: BatonCommand.ExitStatus = .success, on path: String,
    _ broken: Broken, machine: () throws -> FakeLinux = FakeLinux.machine
  ) throws -> String {
    let linux = try machine()
    linux.files[path] = broken.content
    #expect(Baton.run(command, system: linux) == status, "\(linux.complaints)")
    if status != .success, command[0] == "-l" || command[0] == "-p" {
      #expect(linux.effects.isEmpty)
    }
    return linux.output + linux.complaints
  }

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""), Broken("header alone", "           CPU0\n"),
    Broken("no timer", " 13:  102  GICv3  33 Level  uart-pl011\n"),
    Broken("name alone", "arch_timer\n"), Broken("no number", " 11: 5 GICv3 Level arch_timer\n"),
    Broken("negative", " 11: 5 GICv3 -27 Level arch_timer\n"),
    Broken("number too large", " 11: 5 GICv3 18446744073709551643 Level arch_timer\n"),
    Broken("another timer's number", " 11: 5 GICv3 29 Level arch_timer\n"),
    Broken("cut in the name", " 11: 5 GICv3 30 Level arch_time"),
    Broken("zeros", bytes: [UInt8](repeating: 0, count: 64)),
  ])
  func `proc interrupts without a timer leaves the level open`(broken: Broken) throws {
    let said = try Self.said(["--check"], on: "/proc/interrupts", broken)
    #expect(said.contains("level         EL1 or EL2\n"), "\(said)")
  }

  @Test(arguments: [
    (Broken("missing", nil), "/proc/iomem: No such file"),
    (Broken("empty", ""), "/proc/iomem lists no System RAM"),
    (Broken("no memory", "09000000-09000fff : pl011@9000000\n"), "lists no System RAM"),
    (Broken("hidden", "00000000-00000000 : System RAM\n"), "/proc/iomem hides its addresses"),
    (Broken("cut in a number", "40000000-bfff"), "/proc/iomem: line 1 is not of the form"),
    (Broken("no dash", "40000000 : System RAM\n"), "line 1 is not of the form"),
    (Broken("no colon", "40000000-bfffffff System RAM\n"), "line 1 is not of the form"),
    (Broken("no number", "4000000x-bfffffff : System RAM\n"), "line 1 is not of the form"),
    (Broken("backwards", "bfffffff-40000000 : System RAM\n"), "line 1 is not of the form"),
    (
      Broken("beyond 64 bits", "40000000-1ffffffffffffffff : System RAM\n"),
      "line 1 is not of the form"
    ),
    (
      Broken("to the last byte", "40000000-ffffffffffffffff : System RAM\n"),
      "line 1 is not of the form"
    ),
    (Broken("zeros", bytes: [0, 0, 0, 0]), "line 1 is not of the form"),
  ])
  func `proc iomem is refused with what is wrong and where`(
    broken: Broken, words: String
  ) throws {
    let status: BatonCommand.ExitStatus =
      broken.testDescription == "hidden" ? .notPermitted : .systemCall
    let said = try Self.said(Self.load, status, on: "/proc/iomem", broken)
    #expect(said.hasPrefix("baton: ") && said.contains(words), "\(said)")
  }

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""), Broken("hidden", "0000000000000000 T _stext\n"),
    Broken("another symbol", "ffffbd3099210000 T _sinittext\n"),
    Broken("no type", "ffffbd3099210000 _stext\n"), Broken("no address", "T _stext\n"),
    Broken("no number", "ffffbd309921000g T _stext\n"),
    Broken("beyond 64 bits", "1ffffbd3099210000 T _stext\n"),
    Broken("not where the image lies", "ffffbd3099211000 T _stext\n"),
    Broken("cut in the name", "ffffbd3099210000 T _ste"),
    Broken("zeros", bytes: [UInt8](repeating: 0, count: 64)),
  ])
  func `proc kallsyms that tells no address gives a dump without one, and a warning`(
    broken: Broken
  ) throws {
    let said = try Self.said(
      ["-p", "/boot/Image"], on: "/proc/kallsyms", broken,
      machine: {
        let linux = try FakeLinux.crashMachine()
        linux.files["/proc/kcore"] = nil
        return linux
      })
    #expect(said.contains("warning: neither /proc/kcore nor /proc/kallsyms tells"), "\(said)")
  }

  private static func core(_ info: String) -> [UInt8] {
    FakeLinux.core(notes: [("VMCOREINFO", Array(info.utf8))])
  }

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""), Broken("no ELF file", "kimage_voffset"),
    Broken("of 32 bits", bytes: [0x7f, 0x45, 0x4c, 0x46, 1, 1] + [UInt8](repeating: 0, count: 90)),
    Broken("cut in the header", bytes: Array(core(FakeLinux.coreInfo).prefix(63))),
    Broken("cut in the note", bytes: Array(core(FakeLinux.coreInfo).dropLast(8))),
    Broken("another note", bytes: FakeLinux.core(notes: [("CORE", [1, 2, 3, 4])])),
    Broken("empty note", bytes: core("")),
    Broken("another key", bytes: core("NUMBER(VA_BITS)=48\n")),
    Broken("no value", bytes: core("NUMBER(kimage_voffset)=\n")),
    Broken("no number", bytes: core("NUMBER(kimage_voffset)=here\n")),
    Broken("0x alone", bytes: core("NUMBER(kimage_voffset)=0x\n")),
    Broken("beyond 64 bits", bytes: core("NUMBER(kimage_voffset)=0x1ffffbd3059000000\n")),
    Broken("no brackets", bytes: core("NUMBER kimage_voffset=0xffffbd3059000000\n")),
  ])
  func `proc kcore without the image's place gives a dump without one, and a warning`(
    broken: Broken
  ) throws {
    let said = try Self.said(
      ["-p", "/boot/Image"], on: "/proc/kcore", broken, machine: FakeLinux.crashMachine)
    #expect(said.contains("warning: neither /proc/kcore nor /proc/kallsyms tells"), "\(said)")
  }

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""), Broken("another line", "MemFree: 64 kB\n"),
    Broken("no unit", "MemAvailable: 64\n"), Broken("another unit", "MemAvailable: 64 MB\n"),
    Broken("no number", "MemAvailable: few kB\n"), Broken("negative", "MemAvailable: -1 kB\n"),
    Broken("beyond 64 bits", "MemAvailable: 18446744073709551616 kB\n"),
    Broken("beyond 64 bits in bytes", "MemAvailable: 18014398509481984 kB\n"),
    Broken("cut in the unit", "MemAvailable: 64 k"),
  ])
  func `proc meminfo that does not tell what is free hinders no load`(broken: Broken) throws {
    #expect(try Self.said(Self.load, on: "/proc/meminfo", broken) == "")
  }

  @Test(arguments: [
    (Broken("missing", nil), "baton: /proc/cmdline: No such file or directory\n"),
    (
      Broken("too long", String(repeating: "x", count: 2048)),
      "baton: the command line has 2048 bytes; an arm64 kernel takes at most 2047\n"
    ),
  ])
  func `proc cmdline that cannot be reused is refused`(broken: Broken, words: String) throws {
    let status: BatonCommand.ExitStatus = broken.content == nil ? .systemCall : .badFile
    #expect(
      try Self.said(Self.load + ["--reuse-cmdline"], status, on: "/proc/cmdline", broken) == words)
  }

  private static let reused: [(Broken, [UInt8])] = [
    (Broken("empty", ""), []), (Broken("a line of nothing", "\n"), []),
    (Broken("ends and blanks", bytes: [0x61, 0x20, 0x0a, 0, 0]), [0x61]),
    (Broken("no text", bytes: [0xff, 0x00, 0xfe]), [0xff, 0x00, 0xfe]),
    (Broken("boot loader's word alone", "BOOT_IMAGE=/vmlinuz\n"), []),
    (
      Broken("as long as can be", String(repeating: "x", count: 2047) + "\n"),
      [UInt8](repeating: 0x78, count: 2047)
    ),
  ]

  @Test(arguments: reused)
  func `proc cmdline is reused as it is, whatever stands there`(
    broken: Broken, line: [UInt8]
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/cmdline"] = broken.content
    let invocation = try Invocation(parsing: ["-l", "I", "--reuse-cmdline"])
    #expect(try LoadCommandLine.resolve(invocation, system: linux) == line)
    #expect(Baton.run(Self.load + ["--reuse-cmdline"], system: linux) == .success)
  }

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""), Broken("backwards", "3-1\n"),
    Broken("no end", "0-\n"), Broken("no beginning", "-3\n"), Broken("three ends", "0-1-2\n"),
    Broken("no number", "all\n"), Broken("more than there can be", "0-65536\n"),
    Broken("beyond 64 bits", "0-18446744073709551616\n"), Broken("a blank", "0, 1\n"),
  ])
  func `A list of CPUs that makes no sense is none`(broken: Broken) throws {
    let said = try Self.said(["--check"], on: "/sys/devices/system/cpu/online", broken)
    #expect(said.contains("CPUs online   unknown\n"), "\(said)")
  }

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""), Broken("no 0x", "00000000411fd070\n"),
    Broken("no number", "0xCortex\n"), Broken("0x alone", "0x\n"),
    Broken("beyond 64 bits", "0x100000000411fd070\n"),
  ])
  func `A CPU that is not told is not known to lack pages, and the load warns`(
    broken: Broken
  ) throws {
    let said = try Self.said(
      ["-l", "/boot/Image"], on: "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1",
      broken,
      machine: {
        let linux = try FakeLinux.machine()
        linux.files["/boot/Image"]?[24] = 0b1100
        return linux
      })
    #expect(said.contains("has pages of 16K and the running kernel of 4K"), "\(said)")
  }

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""), Broken("no number", "many\n"),
    Broken("no limit", "-1\n"), Broken("beyond 64 bits", "18446744073709551616\n"),
  ])
  func `A limit of loads that is no number is none`(broken: Broken) throws {
    let said = try Self.said(["--check"], on: "/proc/sys/kernel/kexec_load_limit_reboot", broken)
    #expect(said.contains("loading       allowed\n"), "\(said)")
  }

  @Test(arguments: [
    (Broken("missing", nil), "not built in"), (Broken("empty", ""), "not built in"),
    (Broken("nothing marked", "none integrity confidentiality\n"), "not built in"),
    // A mode that nobody knows forbids, as the known ones do.
    (Broken("cut in the mark", "none [integ"), "integ"), (Broken("another mode", "[x]\n"), "x"),
  ])
  func `A lockdown that cannot be read is told as what it says`(
    broken: Broken, words: String
  ) throws {
    let said = try Self.said(["--check"], on: "/sys/kernel/security/lockdown", broken)
    #expect(said.contains("lockdown      \(words)\n"), "\(said)")
  }

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""), Broken("zero", "0\n"),
    Broken("no number", "64M\n"),
    Broken("another size", "1048576\n"), Broken("negative", "-67108864\n"),
    Broken("beyond 64 bits", "18446744073709551616\n"),
  ])
  func `A crash region whose size is not told is not used`(broken: Broken) throws {
    let said = try Self.said(
      Self.load + ["-d"], on: "/sys/kernel/kexec_crash_size", broken,
      machine: { try FakeLinux.reserving() })
    #expect(said.contains("via memory: no memory is reserved for a crash kernel"), "\(said)")
  }

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""), Broken("a word", "six\n"),
    Broken("one number", "5\n"),
    Broken("no second number", "5.x\n"), Broken("numbers too large", "99999999999999999999.1\n"),
  ])
  func `A release that is none warns of nothing`(broken: Broken) throws {
    let said = try Self.said(["--check"], on: "/proc/sys/kernel/osrelease", broken)
    #expect(!said.contains("before 5.16"), "\(said)")
  }

  private static let watchdog = "/sys/class/watchdog/watchdog0/"

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""), Broken("another word", "Active\n"),
    Broken("cut", "activ"), Broken("more behind", "active now\n"),
  ])
  func `A watchdog that does not say active is not running`(broken: Broken) throws {
    let said = try Self.said(["--check"], on: Self.watchdog + "state", broken)
    #expect(!said.contains("watchdog0"), "\(said)")
  }

  @Test(
    arguments: [
      Broken("missing", nil), Broken("empty", ""), Broken("no number", "soon\n"),
      Broken("negative", "-1\n"), Broken("a fraction", "1.5\n"),
      Broken("beyond 64 bits", "18446744073709551616\n"),
    ], ["timeout", "timeleft"])
  func `A running watchdog's time that is no number is not told`(
    broken: Broken, file: String
  ) throws {
    let said = try Self.said(
      ["--check"], on: Self.watchdog + file, broken,
      machine: {
        let linux = try FakeLinux.machine()
        linux.files[Self.watchdog + "state"] = Array("active\n".utf8)
        linux.files["/sys/module/watchdog/parameters/stop_on_reboot"] = Array("0\n".utf8)
        return linux
      })
    #expect(said.contains("watchdog0 is running and goes on through the handoff\n"), "\(said)")
  }

  private static let boot = "5f2a9d60-0000-4000-8000-000000000001"

  private static let records = [
    Broken("missing", nil), Broken("empty", ""), Broken("no member", "{}"),
    Broken("zeros", bytes: [UInt8](repeating: 0, count: 64)),
    Broken("no text", bytes: [0xff, 0xfe, 0x22, 0x80]), Broken("cut in a key", "{\"bootI"),
    Broken("cut before the value", "{\"bootId\":"),
    Broken("cut in the value", "{\"bootId\":\"5f2a"),
    Broken("cut behind an escape", "{\"bootId\":\"5f2a\\"), Broken("a number", "{\"bootId\":5}"),
    Broken("null", "{\"bootId\":null}"), Broken("another boot", "{\"bootId\":\"another\"}"),
    Broken("a blank before the value", "{\"bootId\": \"\(boot)\"}"),
    Broken("the key in a value", "{\"kernel\":\"\\\"bootId\\\":\\\"\(boot)\\\"\"}"),
  ]

  @Test(arguments: records)
  func `A load's record that is broken is none`(broken: Broken) throws {
    let said = try Self.said(
      ["-S"], on: LoadRecord.path, broken,
      machine: {
        let linux = try FakeLinux.machine()
        linux.setLoaded(.normal, true)
        return linux
      })
    #expect(said.hasPrefix("next kernel: loaded, but not by this boot's baton -l"), "\(said)")
  }

  @Test(arguments: records)
  func `A crash kernel's record that is broken is none`(broken: Broken) throws {
    let said = try Self.said(
      ["-S", "-p"], on: CrashRecord.path, broken,
      machine: {
        let linux = try FakeLinux.crashMachine()
        linux.setLoaded(.crash, true)
        return linux
      })
    #expect(said == "next kernel: not loaded\ncrash kernel: loaded\n")
  }

  @Test(
    arguments: records + [
      Broken("no plan", "{\"bootId\":\"another\",\"outcome\":\"arrived\"}"),
      Broken("a plan without 0x", "{\"planDigest\":\"1234\"}"),
      Broken("a plan that is none", "{\"planDigest\":\"0xplan\"}"),
      Broken("a plan beyond 64 bits", "{\"planDigest\":\"0x10000000000000000\"}"),
    ])
  func `A start's record that is broken is none`(broken: Broken) throws {
    #expect(
      try Self.said(["--last"], .negative, on: StartRecord.path, broken)
        == "no handoff is on record here\n")
  }

  /// `struct baton_handoff_record`: magic, version and size, frequency, five counters, bytes moved and
  /// verified, the plan.
  private static func handoff(_ change: (inout [UInt64]) -> Void) -> [UInt8] {
    var words: [UInt64] = [
      0x4452_4f43_524e_5442, 1 | 88 << 32, 1_000_000, 10_000, 10_100, 10_300, 10_600, 11_000, 5, 6,
      7,
    ]
    change(&words)
    return words.flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
    }
  }

  @Test(arguments: [
    Broken("missing", nil), Broken("empty", ""),
    Broken("never written", bytes: [UInt8](repeating: 0, count: 88)),
    Broken("cut", bytes: Array(handoff { _ in }.dropLast())),
    Broken("longer", bytes: handoff { _ in } + [0]), Broken("magic", bytes: handoff { $0[0] ^= 1 }),
    Broken("another version", bytes: handoff { $0[1] = 2 | 88 << 32 }),
    Broken("another size", bytes: handoff { $0[1] = 1 | 80 << 32 }),
    Broken("no frequency", bytes: handoff { $0[2] = 0 }),
  ])
  func `A stage's record that is broken is none`(broken: Broken) throws {
    let said = try Self.said(["--last"], .negative, on: HandoffRecord.path, broken)
    #expect(said == "no handoff is on record here\n")
  }

  @Test(arguments: [
    Broken("backwards", bytes: handoff { $0[6] = 1 }),
    Broken("too long to be told", bytes: handoff { $0[6] = .max }),
  ])
  func `A time in the stage's record that cannot be is unknown`(broken: Broken) throws {
    let said = try Self.said(["--last"], on: HandoffRecord.path, broken)
    #expect(said.contains("stage: verify           unknown\n"), "\(said)")
    #expect(said.contains("stage: move             0.200 ms\n"))
  }

  @Test(arguments: [
    "crashkernel=", "crashkernel=256M", "crashkernel=@", "crashkernel=256M@", "crashkernel=@1G",
    "crashkernel=0@1G", "crashkernel=x@1G", "crashkernel=256M@x", "crashkernel=256Q@1G",
    "crashkernel=-1@1G", "crashkernel=99999999999T@1G", "crashkernel=18446744073709551616@1G",
    "crashkernel=256M@0xfffffffffffffff0", "crashkernel=1G-:@1G", "crashkernel=,,:@1G",
    "crashkernel 256M@1G", "nocrashkernel=256M@1G",
  ])
  func `A crashkernel= that names no place, or none that can be, reserves none`(
    word: String
  ) {
    #expect(CrashKernelArgument.fixedRange(in: Array(("quiet " + word).utf8)) == nil)
  }
}
