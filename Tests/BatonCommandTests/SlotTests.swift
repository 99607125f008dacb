import BatonCommand
import LinuxHost
import Testing

/// What concerns a kernel that is loaded already: `-e`, `-u`, `-S`.
@Suite struct SlotTests {
  @Test func `Starting writes the file systems back first, then restarts`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
    // A reboot that succeeds does not return: in a test it always fails.
    #expect(Baton.run(["-e"], system: linux) == .systemCall)
    #expect(linux.effects == [.sync, .interfacesDown, .reboot])
    #expect(linux.complaints.contains("reboot: Invalid argument"))
  }

  @Test func `Starting nothing is answered with no, and nothing is done`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(["-e"], system: linux) == .negative)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints == "baton: no kernel is loaded; load one with baton -l IMAGE\n")
  }

  @Test func `Starting takes root`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
    linux.isRoot = false
    #expect(Baton.run(["-e"], system: linux) == .notPermitted)
    #expect(linux.effects.isEmpty)
  }

  /// A machine with something to start, and interfaces of which `reboot(2)` finds none up.
  private func startable() throws -> FakeLinux {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
    linux.interfaces = ["eth0", "wlan0"]
    return linux
  }

  @Test func `A start that fails brings up again what it took down, the last one first`() throws {
    let linux = try startable()
    linux.onReboot = { #expect($0.interfaces.isEmpty) }
    #expect(Baton.run(["-e"], system: linux) == .systemCall)
    #expect(
      linux.effects
        == [.sync, .interfacesDown, .reboot, .interfaceUp("wlan0"), .interfaceUp("eth0")])
    #expect(
      linux.complaints == """
        baton: warning: network interface wlan0 was taken down and is up again; IPv6 addresses \
        and routes of it may be gone
        baton: warning: network interface eth0 was taken down and is up again; IPv6 addresses \
        and routes of it may be gone
        baton: the running kernel did not start the loaded one: reboot: Invalid argument

        """)
  }

  @Test func `An interface that stays down is told, and the others are brought up`() throws {
    let linux = try startable()
    linux.interfaceUpFailures["wlan0"] = .busy
    #expect(Baton.run(["-e"], system: linux) == .systemCall)
    #expect(linux.interfaces == ["eth0"])
    #expect(
      linux.complaints.contains(
        "network interface wlan0 was taken down and cannot be brought up again: Device or resource"
      ))
  }

  @Test func `What was unloaded while file systems were written back takes nothing down`() throws {
    let linux = try startable()
    linux.onSync = { $0.setLoaded(.normal, false) }
    #expect(Baton.run(["-e"], system: linux) == .negative)
    #expect(linux.effects == [.sync])
    #expect(linux.interfaces == ["eth0", "wlan0"])
    #expect(linux.complaints == "baton: no kernel is loaded; load one with baton -l IMAGE\n")
  }

  @Test func `What was unloaded at the last moment is told as that`() throws {
    let linux = try startable()
    linux.onReboot = { $0.setLoaded(.normal, false) }
    #expect(Baton.run(["-e"], system: linux) == .negative)
    #expect(linux.interfaces.sorted() == ["eth0", "wlan0"])
    #expect(
      linux.complaints.hasSuffix("baton: no kernel is loaded; load one with baton -l IMAGE\n"))
  }

  @Test(arguments: [1, 20])
  func `A kernel that is busy is asked again, for five seconds`(refusals: Int) throws {
    let linux = try startable()
    var left = refusals
    linux.onReboot = {
      // What it says in the end stands for a start, of which no test returns.
      $0.rebootFailure = left > 0 ? .busy : .ioError
      left -= 1
    }
    #expect(Baton.run(["-e"], system: linux) == .systemCall)
    #expect(linux.effects.count { $0 == .reboot } == refusals + 1)
    #expect(linux.slept == UInt64(refusals) * 250)
    #expect(linux.complaints.contains("reboot: Input/output error"))
    // Only then were they given up.
    #expect(linux.effects.suffix(2) == [.interfaceUp("wlan0"), .interfaceUp("eth0")])
  }

  @Test func `One that stays busy is given up, with the machine as it was`() throws {
    let linux = try startable()
    linux.rebootFailure = .busy
    #expect(Baton.run(["-e"], system: linux) == .systemCall)
    #expect(linux.slept == 5000)
    #expect(linux.effects.count { $0 == .reboot } == 21)
    #expect(linux.interfaces.sorted() == ["eth0", "wlan0"])
    #expect(
      linux.complaints.hasSuffix(
        "another program has been loading a kernel for 5 s; try again\n"))
  }

  @Test(arguments: [
    ("baton", ["-e"]), ("kexec", ["-e"]), ("kexec", ["-l", "/boot/Image"]),
    ("kexec", ["-p", "/boot/Image"]), ("kexec", ["-u"]),
  ])
  func `A start, and everything in kexec-tools' place, waits for another baton`(
    name: String, arguments: [String]
  ) throws {
    func run(_ linux: FakeLinux) -> Int32 {
      name == "kexec"
        ? Baton.runAsKexec(arguments, system: linux)
        : Baton.run(arguments, system: linux).rawValue
    }
    let linux = try FakeLinux.crashMachine()
    linux.lockFailure = .wouldBlock
    // What that one loads is there when it has ended.
    linux.onSleep = {
      if $0.slept == 500 {
        $0.lockFailure = nil
        $0.setLoaded(.normal, true)
      }
    }
    let status = run(linux)
    // A start that succeeds does not return.
    #expect(status == (arguments == ["-e"] ? (name == "kexec" ? 255 : 7) : 0))
    #expect(linux.slept == 750)
    #expect(!linux.effects.isEmpty)
    #expect(
      linux.complaints.hasPrefix(
        name + ": another baton changes what is loaded; waiting for it\n"))

    let busy = try FakeLinux.crashMachine()
    busy.lockFailure = .wouldBlock
    #expect(run(busy) == (name == "kexec" ? 255 : 7))
    #expect(busy.slept == 30_000)
    #expect(busy.effects.isEmpty)
    #expect(busy.complaints.hasSuffix("nothing was changed; try again\n"))
  }

  @Test func `A load that starts what it has loaded has the lock already`() throws {
    let linux = try FakeLinux.machine()
    linux.onReboot = { #expect($0.lockCount == 1) }
    #expect(Baton.run(["-le", "/boot/Image"], system: linux) == .systemCall)
    #expect(linux.effects.last == .reboot)
  }

  @Test func `Starting is not hindered by what hinders loading`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
    linux.files["/proc/sys/kernel/kexec_load_disabled"] = Array("1\n".utf8)
    _ = Baton.run(["-e"], system: linux)
    #expect(linux.effects == [.sync, .interfacesDown, .reboot])
  }

  @Test func `Unloading gives the kernel no segments`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.effects == [.kexecLoad(slot: .normal, entry: 0, segments: [])])
    #expect(linux.complaints == "")
  }

  @Test(arguments: [
    (KexecSlot.normal, ["-u"], "baton -u -f unloads it"),
    (.crash, ["-p", "-u"], "baton -p -u -f unloads it"),
    (.crash, ["-u"], "the crash kernel stays loaded: baton -p -u unloads it"),
  ])
  func `What something else has loaded stays, is named, and can be unloaded all the same`(
    slot: KexecSlot, arguments: [String], words: String
  ) throws {
    let linux = try FakeLinux.machine()
    linux.setLoaded(slot, true)
    let loaded = linux.files
    #expect(Baton.run(arguments, system: linux) == .success)
    #expect(linux.files == loaded)
    #expect(linux.complaints.contains(words), "\(linux.complaints)")
    #expect(linux.complaints.utf8.count { $0 == UInt8(ascii: "\n") } == 1)

    let asked = slot == .crash ? ["-p", "-u"] : ["-u"]
    for run in [
      { Baton.run(asked + ["-f"], system: $0).rawValue },
      { Baton.runAsKexec(asked, system: $0) },
    ] as [(FakeLinux) -> Int32] {
      let other = try FakeLinux.machine()
      other.setLoaded(slot, true)
      #expect(run(other) == 0)
      #expect(other.effects == [.kexecLoad(slot: slot, entry: 0, segments: [])])
      #expect(other.complaints == "")
    }
  }

  @Test func `Unloading is refused for the reason for which the kernel refuses it`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/sys/kernel/kexec_load_disabled"] = Array("1\n".utf8)
    #expect(Baton.run(["-u"], system: linux) == .notPermitted)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains("kexec_load_disabled"))
  }

  @Test(arguments: [(["-u"], "reboot"), (["-p", "-u"], "panic")])
  func `Unloading is refused where the slot's own limit is used up`(
    arguments: [String], limit: String
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/sys/kernel/kexec_load_limit_reboot"] = Array("1\n".utf8)
    linux.files["/proc/sys/kernel/kexec_load_limit_panic"] = Array("1\n".utf8)
    linux.files["/proc/sys/kernel/kexec_load_limit_" + limit] = Array("0\n".utf8)
    #expect(Baton.run(arguments, system: linux) == .notPermitted)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains("kexec_load_limit_" + limit))
  }

  @Test func `A kernel that is locked down unloads by the one call that it takes`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/security/lockdown"] = Array("none integrity [confidentiality]\n".utf8)
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.effects == [.kexecFileUnload()])
  }

  @Test(arguments: [
    (Errno.notPermitted, BatonCommand.ExitStatus.notPermitted), (.noSuchSystemCall, .unsupported),
    (.permissionDenied, .notPermitted), (.busy, .systemCall),
  ])
  func `The kernel's refusal of an unload has its status`(
    errno: Errno, status: BatonCommand.ExitStatus
  ) throws {
    let linux = try FakeLinux.machine()
    linux.kexecLoadFailure = errno
    linux.kexecFileLoadFailure = errno
    #expect(Baton.run(["-u"], system: linux) == status)
    #expect(linux.complaints.hasPrefix("baton: "))
  }

  @Test(arguments: [
    (
      "0\n", "0\n", BatonCommand.ExitStatus.negative,
      "next kernel: not loaded\ncrash kernel: not loaded\n"
    ),
    (
      "1\n", "0\n", .success,
      "next kernel: loaded, but not by this boot's baton -l: baton -e starts it\ncrash kernel: not loaded\n"
    ),
    ("0\n", "1\n", .negative, "next kernel: not loaded\ncrash kernel: loaded\n"),
    (
      "1\n", "1\n", .success,
      "next kernel: loaded, but not by this boot's baton -l: baton -e starts it\ncrash kernel: loaded\n"
    ),
  ])
  func `The status is told in words for both slots; the normal one decides`(
    normal: String, crash: String, status: BatonCommand.ExitStatus, words: String
  ) throws {
    let linux = try FakeLinux.machine()
    linux.isRoot = false
    linux.files["/sys/kernel/kexec_loaded"] = Array(normal.utf8)
    linux.files["/sys/kernel/kexec_crash_loaded"] = Array(crash.utf8)
    #expect(Baton.run(["-S"], system: linux) == status)
    #expect(linux.output == words)
    #expect(linux.complaints == "")
    #expect(linux.effects.isEmpty)
  }

  @Test(arguments: [["-S"], ["-u"], ["-e"]])
  func `A kernel without kexec is named as such`(arguments: [String]) throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_loaded"] = nil
    #expect(Baton.run(arguments, system: linux) == .unsupported)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains("/sys/kernel/kexec_loaded"))
  }

  @Test func `The version names the build ids of command and stage`() throws {
    let linux = FakeLinux()
    #expect(Baton.run(["-v"], system: linux) == .success)
    let expected = /baton [0-9]+\.[0-9]+\.[0-9]+ \(build 0aff10, stage [0-9a-f]{40}\)\n/
    #expect(linux.output.wholeMatch(of: expected) != nil)
  }
}
