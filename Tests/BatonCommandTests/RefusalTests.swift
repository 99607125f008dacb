import BatonCommand
import LinuxHost
import Testing

/// What cannot be done is refused before anything is touched: with a sentence, and a status.
@Suite struct RefusalTests {
  struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var options: [String] = []
    let status: BatonCommand.ExitStatus
    /// What the sentence must name.
    let naming: String
    var action = "-l"
    let spoil: @Sendable (FakeLinux) -> Void
  }

  static let refusals: [Refusal] = [
    Refusal(testDescription: "no such image", status: .badFile, naming: "/boot/Image: No such file")
    {
      $0.files["/boot/Image"] = nil
    },
    Refusal(testDescription: "image is a directory", status: .badFile, naming: "Is a directory") {
      $0.fileFailures["/boot/Image"] = .isDirectory
    },
    Refusal(testDescription: "image unreadable", status: .badFile, naming: "Permission denied") {
      $0.fileFailures["/boot/Image"] = .permissionDenied
    },
    Refusal(testDescription: "empty image", status: .badFile, naming: "/boot/Image is empty") {
      $0.files["/boot/Image"] = []
    },
    Refusal(testDescription: "broken gzip", status: .badFile, naming: "gzip-compressed data") {
      $0.files["/boot/Image"] = [0x1f, 0x8b, 8] + [UInt8](repeating: 1, count: 100)
    },
    Refusal(
      testDescription: "gzip larger than memory", status: .noRoom, naming: "decompressed"
    ) {
      $0.files["/boot/Image"] = FakeLinux.stored(FakeLinux.kernelImage)
      $0.files["/proc/meminfo"] = Array("MemAvailable:         64 kB\n".utf8)
    },
    Refusal(testDescription: "gzip of text", status: .badFile, naming: "not an arm64 kernel Image")
    {
      $0.files["/boot/Image"] = FakeLinux.stored([UInt8](repeating: 0x20, count: 4096))
    },
    Refusal(testDescription: "big-endian", status: .badFile, naming: "big-endian") {
      $0.files["/boot/Image"]?[24] |= 1
    },
    Refusal(testDescription: "image_size 0", status: .badFile, naming: "image_size 0") {
      $0.files["/boot/Image"]?[18] = 0
    },
    Refusal(testDescription: "bzImage", status: .badFile, naming: "an x86 kernel (bzImage)") {
      var bytes = [UInt8](repeating: 0, count: 1024)
      bytes.replaceSubrange(510..<512, with: [0x55, 0xaa])
      bytes.replaceSubrange(0x202..<0x206, with: "HdrS".utf8)
      $0.files["/boot/Image"] = bytes
    },
    Refusal(testDescription: "zImage", status: .badFile, naming: "a 32-bit Arm kernel (zImage)") {
      var bytes = [UInt8](repeating: 0, count: 1024)
      bytes.replaceSubrange(0x24..<0x28, with: [0x18, 0x28, 0x6f, 0x01])
      $0.files["/boot/Image"] = bytes
    },
    Refusal(testDescription: "16K on an A64FX", status: .unsupported, naming: "A64FX") {
      $0.files["/boot/Image"]?[24] = 0b1100
      $0.files["/sys/devices/system/cpu/cpu0/regs/identification/midr_el1"] = Array(
        "0x00000000461f0010\n".utf8)
    },
    Refusal(testDescription: "16K on a Cortex-A57", status: .unsupported, naming: "Cortex-A57") {
      $0.files["/boot/Image"]?[24] = 0b1100
      $0.files["/sys/devices/system/cpu/cpu0/regs/identification/midr_el1"] = Array(
        "0x00000000411fd070\n".utf8)
    },
    Refusal(testDescription: "spin-table", status: .unsupported, naming: "cpu@1") {
      $0.files["/sys/devices/system/cpu/online"] = Array("0-1\n".utf8)
      $0.files["/sys/firmware/fdt"] = FakeLinux.tree(enableMethods: ["psci", "spin-table"])
    },
    Refusal(
      testDescription: "spin-table CPUs that are off but possible", status: .unsupported,
      naming: "boot with nr_cpus=1"
    ) {
      $0.files["/sys/devices/system/cpu/online"] = Array("0\n".utf8)
      $0.files["/sys/devices/system/cpu/possible"] = Array("0-3\n".utf8)
      $0.files["/sys/firmware/fdt"] = FakeLinux.tree(enableMethods: ["spin-table", "spin-table"])
    },
    Refusal(
      testDescription: "no loads left", status: .notPermitted, naming: "kexec_load_limit_reboot"
    ) {
      $0.files["/proc/sys/kernel/kexec_load_limit_reboot"] = Array("0\n".utf8)
    },
    Refusal(
      testDescription: "no loads left for a crash kernel", status: .notPermitted,
      naming: "kexec_load_limit_panic", action: "-p"
    ) {
      $0.files["/proc/sys/kernel/kexec_load_limit_panic"] = Array("0\n".utf8)
    },
    Refusal(testDescription: "too little memory", status: .noRoom, naming: "64 KiB are available") {
      $0.files["/proc/meminfo"] = Array(
        "MemTotal:        2000000 kB\nMemAvailable:         64 kB\n".utf8)
    },
    Refusal(
      testDescription: "initrd beyond --mem-max",
      options: ["--initrd=/boot/initrd", "--mem-min=0xbf000000", "--mem-max=0xbf200000"],
      status: .noRoom, naming: "the initrd"
    ) { _ in },
    Refusal(
      testDescription: "no memory within bounds", options: ["--mem-min=0xc0000000"],
      status: .noRoom, naming: "the kernel"
    ) { _ in },
    Refusal(
      testDescription: "huge tree", options: ["--dtb=/boot/dtb"], status: .noRoom, naming: "2 MiB"
    ) { $0.files["/boot/dtb"] = [UInt8](repeating: 0xd0, count: 5 << 20) },
    Refusal(testDescription: "image larger than memory", status: .noRoom, naming: "the kernel") {
      $0.files["/boot/Image"]?[20] = 1
    },
    Refusal(
      testDescription: "no such initrd", options: ["--initrd=/boot/none"], status: .badFile,
      naming: "/boot/none: No such file"
    ) { _ in },
    Refusal(
      testDescription: "empty initrd", options: ["--initrd=/boot/initrd"], status: .badFile,
      naming: "/boot/initrd is empty"
    ) { $0.files["/boot/initrd"] = [] },
    Refusal(
      testDescription: "no such tree", options: ["--dtb=/boot/none"], status: .badFile,
      naming: "/boot/none: No such file"
    ) { _ in },
    Refusal(
      testDescription: "text for a tree", options: ["--dtb=/boot/text"], status: .badFile,
      naming: "/boot/text is no usable device tree"
    ) { $0.files["/boot/text"] = [UInt8](repeating: 0x20, count: 4096) },
    Refusal(
      testDescription: "command line too long",
      options: ["--append=" + String(repeating: "x", count: 2048)], status: .badFile,
      naming: "2048 bytes"
    ) { _ in },
    Refusal(
      testDescription: "no /proc/cmdline", options: ["--reuse-cmdline"], status: .systemCall,
      naming: "/proc/cmdline"
    ) { $0.fileFailures["/proc/cmdline"] = .ioError },
    Refusal(testDescription: "no tree at all", status: .badFile, naming: "/sys/firmware/fdt") {
      $0.files["/sys/firmware/fdt"] = nil
    },
    Refusal(testDescription: "tree unreadable", status: .badFile, naming: "/sys/firmware/fdt") {
      $0.fileFailures["/sys/firmware/fdt"] = .permissionDenied
    },
    Refusal(testDescription: "iomem unreadable", status: .systemCall, naming: "/proc/iomem") {
      $0.fileFailures["/proc/iomem"] = .permissionDenied
    },
    Refusal(testDescription: "iomem hides", status: .notPermitted, naming: "CAP_SYS_ADMIN") {
      $0.files["/proc/iomem"] = Array("00000000-00000000 : System RAM\n".utf8)
    },
    Refusal(testDescription: "iomem without memory", status: .systemCall, naming: "no System RAM") {
      $0.files["/proc/iomem"] = Array("09000000-09000fff : pl011\n".utf8)
    },
    Refusal(testDescription: "iomem is garbage", status: .systemCall, naming: "line 1") {
      $0.files["/proc/iomem"] = Array("garbage\n".utf8)
    },
    Refusal(testDescription: "page size", status: .unsupported, naming: "8192") {
      $0.pageSize = 8192
    },
    Refusal(testDescription: "no randomness", status: .systemCall, naming: "getrandom") {
      $0.randomFailure = .noSuchSystemCall
    },
    Refusal(testDescription: "not root", status: .notPermitted, naming: "root") {
      $0.isRoot = false
    },
    Refusal(testDescription: "sysctl", status: .notPermitted, naming: "kexec_load_disabled") {
      $0.files["/proc/sys/kernel/kexec_load_disabled"] = Array("1\n".utf8)
    },
    Refusal(
      testDescription: "lockdown", options: ["--via=memory"], status: .notPermitted,
      naming: "locked down"
    ) {
      $0.files["/sys/kernel/security/lockdown"] = Array("none [integrity] confidentiality\n".utf8)
    },
    Refusal(testDescription: "no kexec", status: .unsupported, naming: "/sys/kernel/kexec_loaded") {
      $0.files["/sys/kernel/kexec_loaded"] = nil
    },
  ]

  @Test(arguments: refusals)
  func `A load that cannot be is refused before the slot is touched`(refusal: Refusal) throws {
    let linux = try FakeLinux.machine()
    refusal.spoil(linux)
    let status = Baton.run([refusal.action, "/boot/Image"] + refusal.options, system: linux)
    #expect(status == refusal.status)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains(refusal.naming), "\(linux.complaints)")
    expectOneSentence(linux)
  }

  @Test(arguments: [
    (Errno.notPermitted, BatonCommand.ExitStatus.notPermitted, "CAP_SYS_BOOT"),
    (.permissionDenied, .notPermitted, "(IMA)"),
    (.noSuchSystemCall, .unsupported, "CONFIG_KEXEC"), (.busy, .systemCall, "another program"),
    (.noMemory, .noRoom, "too little free memory"),
    (.addressNotAvailable, .systemCall, "--dry-run"), (.invalidArgument, .systemCall, "--dry-run"),
    (.ioError, .systemCall, "kexec_load: Input/output error"),
    (Errno(rawValue: 14), .systemCall, "kexec_load: error 14"),
  ])
  func `The kernel's refusal of a load is put into words`(
    errno: Errno, status: BatonCommand.ExitStatus, words: String
  ) throws {
    let linux = try FakeLinux.machine()
    linux.kexecLoadFailure = errno
    linux.kexecFileLoadFailure = errno
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == status)
    // Nobody tries again, but by the other call where there is none or this one is not allowed: the old
    // content of the slot is kept by the kernel itself.
    let triesOther = [.noSuchSystemCall, .notPermitted, .permissionDenied].contains(errno)
    #expect(linux.effects.count == (triesOther ? 2 : 1))
    #expect(linux.complaints.contains(words), "\(linux.complaints)")
    expectOneSentence(linux)
  }

  @Test(arguments: [
    ["-x"], [], ["-l"], ["-e", "-u"], ["-e", "extra"], ["-u", "--initrd=R"], ["-e", "--mem-min=1"],
  ])
  func `A command line that makes no sense does nothing and points at the help`(
    arguments: [String]
  ) throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(arguments, system: linux) == .usage)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains("baton --help"))
    expectOneSentence(linux)
  }

  @Test(arguments: [
    ["--mem-min="], ["--mem-min=4G"], ["--mem-max=0x"], ["--mem-max=-1"], ["--mem-max=+1"],
    ["--mem-min=0x10000000000000000"], ["--mem-min=2", "--mem-max=2"],
  ])
  func `Bounds that are no addresses are refused`(options: [String]) throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(["-l", "/boot/Image"] + options, system: linux) == .usage)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains("--mem-m"))
    expectOneSentence(linux)
  }

  private func expectOneSentence(_ linux: FakeLinux) {
    #expect(linux.complaints.hasPrefix("baton: "))
    #expect(linux.complaints.filter { $0 == "\n" }.count == 1)
    #expect(linux.complaints.hasSuffix("\n"))
    #expect(linux.output == "")
  }
}
