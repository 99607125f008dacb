import BootFormats
import LinuxHost
import TestSupport
import Testing

@testable import BatonCommand

/// What an administrator sees of a restart: progress, watchdogs, warnings, the kernel's log.
@Suite struct OperationTests {
  private static let load = ["-l", "/boot/Image", "--initrd=/boot/initrd"]

  private func large(_ linux: FakeLinux) {
    linux.files["/boot/initrd"] = [UInt8](repeating: 7, count: 40 << 20)
    linux.isErrorTerminal = true
    linux.clockStep = 200
  }

  @Test func `Long work shows how far it is and how long it takes still, on a terminal`() throws {
    let linux = try FakeLinux.machine()
    large(linux)
    #expect(Baton.run(Self.load, system: linux) == .success)
    let lines = linux.complaints.split(separator: "\r")
    #expect(lines.contains { $0.hasPrefix("baton: reading: 20 of 40 MiB, 4 s left") }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("baton: digesting: 20 of 40 MiB, 5 s left") }, "\(lines)")
    // Nothing tells how far kexec_load(2) is; digesting took 42 steps of the clock.
    #expect(
      lines.contains {
        $0 == "baton: loading: 40 MiB, about 9 s left at the pace of digesting\u{1b}[K"
      }, "\(lines)")
    // Nothing of it stays.
    #expect(linux.complaints.hasSuffix("\r\u{1b}[K"))
    #expect(!linux.complaints.contains("\n"))
  }

  private static func loading(_ rest: String) -> String { "baton: loading: 40 MiB\(rest)\u{1b}[K" }

  @Test(arguments: [0, 3, 8, 20], [nil, .ioError] as [Errno?])
  func `What is left of the load is counted down while the kernel is at it, and no longer`(
    seconds: Int, failure: Errno?
  ) throws {
    let linux = try FakeLinux.machine()
    large(linux)
    linux.secondsOfLoading = seconds
    linux.kexecLoadFailure = failure
    // A warning comes after.
    linux.onKexecLoad = { $0.replaceFailures["/run/baton/loaded.json"] = .noSpace }
    let status = Baton.run(Self.load, system: linux)
    #expect(status == (failure == nil ? .success : .systemCall), "\(linux.complaints)")
    let left = (1...9).reversed().map {
      Self.loading(", about \($0) s left at the pace of digesting")
    }
    // Where it takes longer than that, its size is left.
    let lines = (left + [Self.loading("")]).prefix(seconds + 1)
    let place = try #require(linux.complaints.firstRange(of: "\rbaton: loading"))
    let shown = linux.complaints[place.lowerBound...]
    #expect(shown.hasPrefix(lines.map { "\r" + $0 }.joined() + "\r\u{1b}[K"), "\(shown)")
    #expect(shown.ranges(of: "\u{1b}[K").count == lines.count + 1, "\(shown)")
    #expect(!linux.isTelling)
    #expect(linux.saidBetween == "")
    if failure == nil {
      #expect(shown.contains("\r\u{1b}[Kbaton: warning: /run/baton/loaded.json: "), "\(shown)")
    }
  }

  @Test(arguments: ["gzip -1", "zstd -1", "xz -0", "xz --format=lzma -0"])
  func `Decompressing shows how far it is, too`(program: String) throws {
    let linux = try FakeLinux.machine()
    var generator = SeededGenerator(seed: 0xdec)
    // What cannot be compressed, within the image_size of the header.
    let random = (0..<1_900_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let image = FakeLinux.kernelImage + random
    linux.files["/boot/Image"] = try HostTool.compress(image, by: program)
    linux.isErrorTerminal = true
    linux.clockStep = 200
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success, "\(linux.complaints)")
    let lines = linux.complaints.split(separator: "\r")
    #expect(
      lines.contains {
        $0.wholeMatch(of: /baton: decompressing: [01] of 1 MiB, [1-9] s left\u{1b}\[K/) != nil
      }, "\(lines)")
    guard case .kexecLoad(_, _, let segments) = try #require(linux.effects.first) else { return }
    #expect(segments.contains { $0.bytes == image })
  }

  @Test(arguments: [["-i"], ["--via=file"]])
  func `Loading shows its size only, where nothing went through the same bytes`(
    options: [String]
  ) throws {
    let linux = try FakeLinux.machine()
    large(linux)
    #expect(Baton.run(Self.load + options, system: linux) == .success)
    let lines = linux.complaints.split(separator: "\r")
    #expect(lines.contains("baton: loading: 40 MiB\u{1b}[K"), "\(lines)")
  }

  @Test(arguments: ["sha256", "sha1", "md5", "crc32", "sha384", "sha512"])
  func `Checking the hashes of a FIT image shows how far it is, over all of them`(
    algorithm: String
  ) throws {
    let linux = try FakeLinux.machine()
    let ramdisk = [UInt8](repeating: 7, count: 3 << 20)
    linux.files["/boot/Image"] = try FITSource(
      kernelHashes: [], initrdHashes: [algorithm, algorithm]
    ).image(kernel: FakeLinux.kernelImage, initrd: ramdisk, tree: FakeLinux.tree().serialized())
    linux.isErrorTerminal = true
    linux.clockStep = 300
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success, "\(linux.complaints)")
    let lines = linux.complaints.split(separator: "\r").map { $0.prefix { $0 != "\u{1b}" } }
      .filter { $0.contains("checking hashes") }
    for done in 2...6 {
      #expect(
        lines.contains { $0.hasPrefix("baton: checking hashes: \(done) of 6 MiB") }, "\(lines)")
    }
    #expect(lines.contains { $0.hasSuffix("3 of 6 MiB, 1 s left") }, "\(lines)")
  }

  @Test(arguments: [(true, ["-q"]), (true, ["--quiet"]), (false, [])])
  func `Nowhere else anything is shown`(isTerminal: Bool, options: [String]) throws {
    let linux = try FakeLinux.machine()
    large(linux)
    linux.isErrorTerminal = isTerminal
    #expect(Baton.run(Self.load + options, system: linux) == .success)
    #expect(linux.complaints == "")
  }

  @Test func `Quick work shows nothing on a terminal either`() throws {
    let linux = try FakeLinux.machine()
    linux.isErrorTerminal = true
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(linux.complaints == "")
  }

  @Test(
    arguments: [
      ("30\n", "27\n", "watchdog0 is running and goes on through the handoff: 27 of 30 s are left"),
      // What is left cannot be more.
      (
        "30\n", "4294967295\n",
        "watchdog0 is running and goes on through the handoff, with a timeout of 30 s"
      ),
      ("30\n", nil, "watchdog0 is running and goes on through the handoff, with a timeout of 30 s"),
      (nil, nil, "watchdog0 is running and goes on through the handoff\n"),
      ("many\n", "-1\n", "watchdog0 is running and goes on through the handoff\n"),
    ] as [(String?, String?, String)])
  func `A running watchdog is shown with its time, and left alone`(
    timeout: String?, left: String?, sentence: String
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
    linux.files[Self.stopOnReboot] = Array("0\n".utf8)
    let folder = "/sys/class/watchdog/watchdog0/"
    linux.files[folder + "state"] = Array("active\n".utf8)
    linux.files[folder + "timeout"] = timeout.map { Array($0.utf8) }
    linux.files[folder + "timeleft"] = left.map { Array($0.utf8) }
    linux.files["/sys/class/watchdog/watchdog1/state"] = Array("inactive\n".utf8)
    _ = Baton.run(["-e"], system: linux)
    #expect(linux.complaints.hasPrefix("baton: " + sentence))
    #expect(!linux.complaints.contains("watchdog1"))
    #expect(linux.effects == [.sync, .interfacesDown, .reboot])
    _ = Baton.run(["--check"], system: linux)
    #expect(linux.output.contains("warning: " + sentence))
  }

  private static let stopOnReboot = "/sys/module/watchdog/parameters/stop_on_reboot"

  @Test(
    arguments: [
      (
        "1\n",
        "watchdog0 is running: 27 of 30 s are left; this kernel stops it at the handoff if its driver "
          + "can (watchdog.stop_on_reboot=1)"
      ),
      (
        "-1\n",
        "watchdog0 is running: 27 of 30 s are left; its driver may stop it at the handoff: "
          + "boot with watchdog.stop_on_reboot=0, and it goes on"
      ),
      ("", "watchdog0 is running: 27 of 30 s are left; its driver may stop it"),
      (nil, "watchdog0 is running: 27 of 30 s are left; its driver may stop it"),
    ] as [(String?, String)])
  func `Where the kernel does not say that a watchdog goes on, nor does baton`(
    parameter: String?, sentence: String
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files[Self.stopOnReboot] = parameter.map { Array($0.utf8) }
    let folder = "/sys/class/watchdog/watchdog0/"
    for (file, content) in [("state", "active\n"), ("timeout", "30\n"), ("timeleft", "27\n")] {
      linux.files[folder + file] = Array(content.utf8)
    }
    _ = Baton.run(["--check"], system: linux)
    #expect(linux.output.contains("warning: " + sentence))
    #expect(!linux.output.contains("goes on through"))
  }

  @Test func `The kernel's log names the plan that is started`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(Self.load, system: linux) == .success)
    linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
    _ = Baton.run(["-e"], system: linux)
    #expect(
      linux.kernelLog.wholeMatch(
        of: /baton: starting the loaded kernel, plan 0x[0-9a-f]{16}\n/) != nil)
  }

  @Test func `A log that cannot be written does not hinder a start`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
    linux.logFailure = .permissionDenied
    _ = Baton.run(["-e"], system: linux)
    #expect(linux.effects == [.sync, .interfacesDown, .reboot])
  }

  @Test(arguments: [
    ("--append=quiet", true), ("--append=quiet panic=10", false), ("--append=panic=-1", false),
    ("--append=x.panic=1", true), ("--append=panic", true),
  ])
  func `A command line without panic= gets a warning`(option: String, warns: Bool) throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(Self.load + [option], system: linux) == .success)
    #expect(linux.warnsOfPanic == warns)
  }
}
