import BatonCommand
import LinuxHost
import Testing

/// `--via=file`: the kernel's own loader, for machines that are locked down.
@Suite struct FileLoadTests {
  private static let load = ["-l", "/boot/Image", "--initrd=/boot/initrd", "--append=quiet"]

  private func lockedDown() throws -> FakeLinux {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/security/lockdown"] = Array("none [integrity] confidentiality\n".utf8)
    return linux
  }

  @Test func `The kernel is given the files and the command line`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(Self.load + ["--via=file"], system: linux) == .success)
    #expect(
      linux.effects == [
        .kexecFileLoad(kernel: "/boot/Image", initrd: .file("/boot/initrd"), commandLine: "quiet")
      ])
    #expect(linux.complaints == "")
    #expect(Baton.run(["-S"], system: linux) == .success)
    #expect(linux.output.contains("(via file, verifies nothing)"))
  }

  @Test func `Without a command line it is the running kernel's, as everywhere`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(["-l", "/boot/Image", "--via=file"], system: linux) == .success)
    #expect(
      linux.effects == [
        .kexecFileLoad(
          kernel: "/boot/Image", initrd: .none, commandLine: "of the running kernel")
      ])
  }

  /// As by `kexec_load(2)`: the next kernel would look for the boot loader's.
  @Test(arguments: [KexecSlot.normal, .crash])
  func `Behind UEFI a kernel without an initrd gets one of nothing`(slot: KexecSlot) throws {
    let linux = try crashMachine(isLockedDown: false)
    linux.files["/sys/firmware/efi/systab"] = Array("ACPI20=0xbc430018\n".utf8)
    let load = [slot == .normal ? "-l" : "-p", "/boot/Image", "--append=quiet", "--via=file"]
    func effect(_ initrd: FileLoadInitrd) -> FakeLinux.Effect {
      .kexecFileLoad(slot: slot, kernel: "/boot/Image", initrd: initrd, commandLine: "quiet")
    }
    #expect(Baton.run(load, system: linux) == .success)
    #expect(linux.effects == [effect(.zeros(4))])
    #expect(linux.complaints == "")
    #expect(Baton.run(load + ["--initrd=/boot/initrd"], system: linux) == .success)
    #expect(linux.effects.last == effect(.file("/boot/initrd")))
  }

  @Test(arguments: [Errno.permissionDenied, .notPermitted, .noSuchSystemCall])
  func `Where the kernel refuses that one, it goes without, with a warning`(errno: Errno) throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/firmware/efi/systab"] = Array("ACPI20=0xbc430018\n".utf8)
    linux.zerosFailure = errno
    let load = ["-l", "/boot/Image", "--append=quiet", "--via=file"]
    #expect(Baton.run(load, system: linux) == .success)
    #expect(
      linux.effects.last
        == .kexecFileLoad(kernel: "/boot/Image", initrd: .none, commandLine: "quiet"))
    #expect(linux.effects.count == 2)
    #expect(
      linux.complaints.hasPrefix("baton: warning: the running kernel takes no empty initrd ("))
    // What it refuses for another reason is not told as this.
    linux.kexecFileLoadFailure = errno
    #expect(Baton.run(load, system: linux) != .success)
    linux.kexecFileLoadFailure = .notExecutable
    #expect(Baton.run(load, system: linux) == .badFile)
    #expect(linux.effects.count == 5)
    #expect(linux.complaints.split(separator: "\n").count { $0.contains("empty initrd") } == 1)
  }

  @Test func `Lockdown leaves this way only, and the loss of verification is told`() throws {
    let linux = try lockedDown()
    #expect(Baton.run(Self.load + ["-d"], system: linux) == .success)
    #expect(linux.effects.count == 1)
    #expect(linux.complaints.contains("nothing is verified between the kernels"))
    #expect(linux.output == "  via file: this kernel is locked down\n  verified  nothing\n")
  }

  @Test func `The image is held to --type, its pages to the CPU's, and panic= is missed`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(Self.load + ["--via=file", "--type=vmlinuz"], system: linux) == .badFile)
    #expect(linux.complaints.contains("not of the type"))
    linux.files["/boot/Image"]?[24] = 0b1100
    let identification = "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1"
    linux.files[identification] = Array("0x00000000410fd070\n".utf8)
    #expect(Baton.run(Self.load + ["--via=file"], system: linux) == .unsupported)
    #expect(linux.effects.isEmpty)
    linux.files[identification] = Array("0x00000000414fd0c1\n".utf8)
    #expect(Baton.run(Self.load + ["--via=file"], system: linux) == .success)
    #expect(linux.complaints.contains("where this CPU lacks them, it stops without a word"))
    #expect(linux.warnsOfPanic)
  }

  @Test func `A kernel without kexec_load is given the other call`() throws {
    let linux = try FakeLinux.machine()
    linux.kexecLoadFailure = .noSuchSystemCall
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(linux.complaints.contains("nothing is verified between the kernels"))
  }

  /// As IMA does where it appraises kernels, and lockdown where no file shows it.
  @Test(arguments: [Errno.permissionDenied, .notPermitted])
  func `A kernel that refuses kexec_load is given the other call, but never silently`(
    refusal: Errno
  ) throws {
    for isReserving in [false, true] {
      func refusing() throws -> FakeLinux {
        let linux = try isReserving ? FakeLinux.reserving() : FakeLinux.machine()
        linux.kexecLoadFailure = refusal
        return linux
      }
      let linux = try refusing()
      #expect(Baton.run(Self.load, system: linux) == .success, "\(linux.complaints)")
      #expect(
        linux.complaints
          == "baton: warning: this kernel refuses kexec_load: by kexec_file_load(2) nothing is "
          + "verified between the kernels\n")
      #expect(linux.warningsOfPanic == 1)
      // Over what is loaded, too.
      #expect(Baton.run(Self.load, system: linux) == .success, "\(linux.complaints)")
      #expect(linux.effects.count { if case .kexecFileLoad = $0 { true } else { false } } == 2)
      #expect(Baton.run(["-u"], system: linux) == .success, "\(linux.complaints)")
      #expect(linux.effects.last == .kexecFileUnload())
      // Who asks for what the other call cannot do hears what was refused.
      for option in ["--require-verified", "--via=memory", "--console=none", "-c"] {
        let linux = try refusing()
        #expect(Baton.run(Self.load + [option], system: linux) == .notPermitted)
        #expect(linux.complaints.contains("kexec_load"), "\(option): \(linux.complaints)")
        #expect(!linux.effects.contains { if case .kexecFileLoad = $0 { true } else { false } })
      }
      // The reason why it is refused as well tells more.
      let unsigned = try refusing()
      unsigned.kexecFileLoadFailure = .noData
      #expect(Baton.run(Self.load, system: unsigned) == .notPermitted)
      #expect(unsigned.complaints.contains("ENODATA"))
      let compressed = try refusing()
      compressed.files["/boot/Image"] = FakeLinux.stored(FakeLinux.kernelImage)
      #expect(Baton.run(Self.load, system: compressed) == .unsupported)
      #expect(compressed.complaints.contains("decompress it first"), "\(compressed.complaints)")
      #expect(!compressed.complaints.contains("--via=memory"), "\(compressed.complaints)")
    }
  }

  /// Whoever lacks the one call hears what the other says.
  @Test func `A kernel without kexec_load that refuses the other call says that`() throws {
    let linux = try FakeLinux.machine()
    linux.kexecLoadFailure = .noSuchSystemCall
    linux.kexecFileLoadFailure = .notPermitted
    #expect(Baton.run(Self.load, system: linux) == .notPermitted)
    #expect(linux.complaints.contains("(EPERM)"), "\(linux.complaints)")
  }

  @Test(arguments: [Errno.permissionDenied, .notPermitted])
  func `So is a crash kernel's load`(refusal: Errno) throws {
    let load = ["-p"] + Self.load.dropFirst()
    let linux = try crashMachine(isLockedDown: false)
    linux.kexecLoadFailure = refusal
    #expect(Baton.run(load, system: linux) == .success, "\(linux.complaints)")
    #expect(linux.complaints.contains("nothing is verified between the kernels"))
    #expect(Baton.run(["-p", "-u"], system: linux) == .success, "\(linux.complaints)")
    #expect(linux.effects.last == .kexecFileUnload(.crash))
    let both = try crashMachine(isLockedDown: false)
    both.kexecLoadFailure = refusal
    both.kexecFileLoadFailure = .notPermitted
    #expect(Baton.run(load, system: both) == .notPermitted)
    #expect(both.complaints.contains("kexec_load"), "\(both.complaints)")
    // The second of the calls has dropped what the first left alone.
    let loaded = try crashMachine(isLockedDown: false)
    #expect(Baton.run(load, system: loaded) == .success)
    loaded.kexecLoadFailure = refusal
    loaded.kexecFileLoadFailure = .notPermitted
    #expect(Baton.run(load, system: loaded) == .notPermitted)
    #expect(loaded.complaints.contains("no crash kernel is loaded now"), "\(loaded.complaints)")
  }

  @Test func `Such a kernel is loaded again, with a crash region too, and unloaded`() throws {
    let linux = try FakeLinux.reserving()
    linux.kexecLoadFailure = .noSuchSystemCall
    for _ in 0..<2 {
      #expect(Baton.run(Self.load, system: linux) == .success, "\(linux.complaints)")
    }
    #expect(linux.effects.count { if case .kexecFileLoad = $0 { true } else { false } } == 2)
    #expect(Baton.run(["-u"], system: linux) == .success, "\(linux.complaints)")
    #expect(linux.effects.last == .kexecFileUnload())
  }

  @Test func `What must be verified is not loaded so`() throws {
    let linux = try lockedDown()
    #expect(Baton.run(Self.load + ["--require-verified"], system: linux) == .unsupported)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains("--require-verified"))
  }

  @Test(arguments: [
    "--dtb=/boot/dtb", "--mem-min=0x80000000", "--mem-max=0x90000000", "--config=conf-1",
  ])
  func `Options that this way cannot honour are refused`(option: String) throws {
    let linux = try lockedDown()
    #expect(Baton.run(Self.load + ["--via=file", option], system: linux) == .usage)
    #expect(Baton.run(Self.load + [option], system: linux) == .notPermitted)
    #expect(linux.effects.isEmpty)
  }

  @Test(arguments: [
    ["--require-verified", "-i"], ["--require-verified", "--via=file"],
    ["--replace-crash-kernel", "--via=memory"], ["--via=explode"],
  ])
  func `Options that contradict each other are refused`(options: [String]) throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(Self.load + options, system: linux) == .usage)
    #expect(linux.effects.isEmpty)
  }

  @Test(arguments: [
    (Errno.keyRejected, BatonCommand.ExitStatus.notPermitted, "not what was signed"),
    (.keyMissing, .notPermitted, "does not trust (ENOKEY)"), (.noPackage, .notPermitted, "ENOPKG"),
    (.noData, .notPermitted, "not signed"), (.badMessage, .notPermitted, "damaged"),
    (.notPermitted, .notPermitted, "EPERM"), (.permissionDenied, .notPermitted, "IMA"),
    (.notExecutable, .badFile, "ENOEXEC"), (.noSuchSystemCall, .unsupported, "CONFIG_KEXEC_FILE"),
    (.textBusy, .systemCall, "open for writing"), (.invalidArgument, .systemCall, "signature"),
    (.noMemory, .noRoom, "no room"),
    (.ioError, .systemCall, "Input/output error"),
  ])
  func `Each refusal of the kernel's is a sentence of its own`(
    errno: Errno, status: BatonCommand.ExitStatus, words: String
  ) throws {
    let linux = try FakeLinux.machine()
    linux.kexecFileLoadFailure = errno
    #expect(Baton.run(Self.load + ["--via=file"], system: linux) == status)
    #expect(linux.complaints.contains(words), "\(linux.complaints)")
    #expect(linux.complaints.hasPrefix("baton: kexec_file_load: "))
  }

  private func crashMachine(isLockedDown: Bool) throws -> FakeLinux {
    let linux = try FakeLinux.crashMachine()
    linux.files["/sys/kernel/kexec_crash_size"] = Array("268435456\n".utf8)
    if isLockedDown {
      linux.files["/sys/kernel/security/lockdown"] = Array(
        "none [integrity] confidentiality\n".utf8)
    }
    return linux
  }

  @Test(arguments: [(["-s"], false), (["--via=file"], false), ([], true)])
  func `A crash kernel is loaded so, too`(options: [String], isLockedDown: Bool) throws {
    let linux = try crashMachine(isLockedDown: isLockedDown)
    let load = ["-p"] + Self.load.dropFirst() + options
    #expect(Baton.run(load, system: linux) == .success, "\(linux.complaints)")
    #expect(
      linux.effects == [
        .kexecFileLoad(
          slot: .crash, kernel: "/boot/Image", initrd: .file("/boot/initrd"), commandLine: "quiet")
      ])
    #expect(linux.complaints.contains("nothing is verified between the kernels") == isLockedDown)
    #expect(Baton.run(["-S", "-p"], system: linux) == .success)
    #expect(linux.output.contains("crash kernel: loaded: /boot/Image (verifies nothing)"))
    #expect(Baton.run(["-p", "-u"], system: linux) == .success, "\(linux.complaints)")
    #expect(linux.files["/sys/kernel/kexec_crash_loaded"] == Array("0\n".utf8))
    if isLockedDown { #expect(linux.effects.last == .kexecFileUnload(.crash)) }
  }

  /// As such kernels are: the crash notes are shown for `kexec_load(2)` only.
  @Test func `A crash kernel is loaded so where the kernel shows no crash notes`() throws {
    let load = ["-p"] + Self.load.dropFirst()
    for hasFileCall in [true, false] {
      let linux = try crashMachine(isLockedDown: false)
      for (path, _) in linux.files where path.contains("crash_notes") { linux.files[path] = nil }
      linux.kexecLoadFailure = .noSuchSystemCall
      if !hasFileCall { linux.kexecFileLoadFailure = .noSuchSystemCall }
      #expect(Baton.run(load, system: linux) == (hasFileCall ? .success : .unsupported))
      #expect(linux.complaints.contains("CONFIG_CRASH_DUMP") != hasFileCall)
      #expect(linux.complaints.contains("nothing is verified between the kernels") == hasFileCall)
    }
  }

  @Test func `A crash kernel that must be verified is not loaded so`() throws {
    let linux = try crashMachine(isLockedDown: true)
    let load = ["-p"] + Self.load.dropFirst()
    #expect(Baton.run(load + ["--require-verified"], system: linux) == .unsupported)
    #expect(Baton.run(load + ["-c"], system: linux) == .notPermitted)
    #expect(linux.effects.isEmpty)
    linux.kexecFileLoadFailure = .keyRejected
    #expect(Baton.run(load, system: linux) == .notPermitted)
    #expect(linux.complaints.contains("not what was signed"))
    #expect(linux.complaints.contains("no crash kernel is loaded now"))
    linux.files["/sys/kernel/kexec_crash_size"] = Array("0\n".utf8)
    #expect(Baton.run(load, system: linux) == .noRoom)
    #expect(linux.complaints.contains("no memory is reserved for a crash kernel"))
  }

  @Test(arguments: [
    ["--via=memory"], ["--via=crashkernel"], ["--cpus=2"], ["--replace-crash-kernel"],
  ])
  func `What a crash kernel's load cannot honour is refused`(options: [String]) throws {
    let linux = try crashMachine(isLockedDown: false)
    #expect(Baton.run(["-p", "/boot/Image"] + options, system: linux) == .usage)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains("--load-panic"))
  }

  @Test func `A compressed kernel is refused: the kernel does not inflate it`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/boot/Image"] = FakeLinux.stored(FakeLinux.kernelImage)
    #expect(Baton.run(Self.load + ["--via=file"], system: linux) == .unsupported)
    #expect(linux.effects.isEmpty)
  }
}
