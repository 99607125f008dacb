import PhysicalMemory

/// A QEMU machine, as a value: what it is made of and what it boots.
public struct Machine: Sendable {
  /// The level at which firmware leaves the CPU to the first kernel, and what a kernel makes of it.
  public enum Level: String, Sendable, CaseIterable {
    case el1
    /// EL2 on a CPU without VHE: the kernel runs at EL1, and leaves through its stub at EL2.
    case el2
    /// EL2 on a CPU with VHE: the kernel runs there.
    case vhe

    /// The exception level at which a kernel is entered.
    public var exceptionLevel: Int { self == .el1 ? 1 : 2 }

    /// A CPU for which the level comes out so.
    var cpu: String { self == .vhe ? "neoverse-n1" : "cortex-a57" }
  }

  /// The version of the interrupt controller's architecture.
  public enum GIC: Int, Sendable, CaseIterable {
    case v2 = 2
    case v3 = 3
  }

  /// What the machine is as a whole.
  public enum Board: Sendable, CaseIterable {
    /// QEMU's own: everything below can be chosen.
    case virt
    /// Four Cortex-A53 without PSCI, entered at EL2, with 1 GiB; the console is the mini UART, an
    /// 8250 whose registers are words. Nothing below can be chosen but what is booted.
    case raspberryPi3
    /// Arm's reference server as QEMU has it: RAM at 2^40, entered at EL2, no PSCI, a watchdog that
    /// tells its time. CPU and size of memory can be chosen.
    case sbsaReference

    /// Whether the machine switches itself off when it is asked to.
    var switchesOff: Bool { self == .virt }

    /// What every kernel of the lab is told: say everything, from the first moment, on the UART.
    ///
    /// A Raspberry Pi's CPUs cannot be switched off again: one that may have no other may restart.
    public var consoleArguments: String {
      switch self {
      case .virt: "earlycon loglevel=7 console=ttyAMA0"
      case .raspberryPi3: "earlycon loglevel=7 console=ttyS1,115200 nr_cpus=1"
      case .sbsaReference: "earlycon=pl011,0x60000000 loglevel=7 console=ttyAMA0"
      }
    }
  }

  /// What describes the machine to its kernels, and who starts the first one.
  public enum Platform: String, Sendable, CaseIterable {
    /// QEMU, with its device tree.
    case deviceTree = "device-tree"
    /// UEFI firmware (EDK II), with QEMU's device tree.
    case firmwareDeviceTree = "uefi-device-tree"
    /// UEFI firmware, with QEMU's ACPI tables. They name an ITS whether there is one or not, and
    /// kernels die of one that is not there.
    case firmwareACPI = "uefi-acpi"
    /// U-Boot, which has QEMU's device tree, too. It waits to be told what to start.
    case uBoot = "u-boot"

    /// EDK II for QEMU's arm64 machine, as Debian's qemu-efi-aarch64 has it.
    static var firmware: String { "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd" }

    /// U-Boot for QEMU's arm64 machine, as Debian's u-boot-qemu has it.
    static var uBootFirmware: String { "/usr/lib/u-boot/qemu_arm64/u-boot.bin" }

    var arguments: [String] {
      switch self {
      case .deviceTree: []
      case .firmwareDeviceTree, .firmwareACPI: ["-bios", Self.firmware]
      case .uBoot: ["-bios", Self.uBootFirmware]
      }
    }
  }

  public var board = Board.virt
  public var platform = Platform.deviceTree
  public var level = Level.el2
  /// QEMU's name of the CPU, or nil for the level's own.
  public var cpu: String?
  public var gic = GIC.v3
  /// Whether the GICv3 has an ITS. Its tables outlive the kernel that set them up.
  public var hasITS = false
  public var processors = 1
  /// RAM in MiB.
  public var memory = 2048
  /// The first kernel's Image, or nil where a saved guest is resumed.
  public var kernel: String?
  public var initrd: String?
  /// What the first kernel is told beside the board's arguments for its console.
  public var commandLine = ""
  /// The first kernel's device tree, where it is not QEMU's own.
  public var deviceTree: String?
  /// The image of a disk, which outlives the guest: /dev/vda where the guest has loaded the modules
  /// that it takes.
  public var disk: String?
  /// Whether what the guest writes to the disk is gone with it.
  public var forgetsDisk = false
  /// The file that the machine's second console writes to, where it is to have one: a PL011, /dev/ttyAMA1.
  public var secondConsole: String?
  /// Whether the guest's clocks count instructions, one a nanosecond: what it measures is exact then,
  /// and the same every time.
  public var clocksCountInstructions = false
  /// The lab's plugin, where guest instructions are to be counted.
  public var plugin: Plugin?
  /// Whether all CPUs take turns in one of QEMU's threads: one that waits then yields to the others.
  /// QEMU 10.0.2 aborts where such a machine has several CPUs and a plugin.
  public var isSingleThreaded = false
  /// Where every block of code that is executed in a range of memory is to be logged.
  public var blockLog: (range: PhysicalRange, path: String)?
  /// Which of QEMU's trace events are to be logged.
  public var trace: (events: [String], path: String)?
  /// A saved guest to resume instead of booting.
  public var savedState: String?
  /// The socket to offer a debugger, which stops the guest when it connects.
  public var debugSocket: String?
  /// Whether the guest waits for a debugger before its first instruction.
  public var startsStopped = false
  /// How long the guest may run before it is ended: many times what the lab's longest takes on an idle
  /// machine, since it may have to share a busy one, and only a guest that hangs takes all of it.
  public var timeLimit = Duration.seconds(600)

  public init() {}

  /// The lab's plugin and its arguments.
  public struct Plugin: Sendable {
    public var library: String
    /// The file to write the log to.
    public var log: String
    /// The stage whose first execution is to be logged.
    public var stage: String?
    /// Where RAM begins, for a plugin that follows it and is not to take it for that of `virt`.
    public var ramStart: UInt64?

    public init(library: String, log: String, stage: String?, ramStart: UInt64? = nil) {
      self.library = library
      self.log = log
      self.stage = stage
      self.ramStart = ramStart
    }
  }

  /// QEMU's arguments. The control channel is a pair of files: `control + ".in"`, where QEMU reads
  /// its commands, and `control + ".out"`, where it writes what happened.
  func arguments(control: String) -> [String] {
    var result = boardArguments
    result += [
      "-nic", "none",
      "-display", "none", "-monitor", "none", "-serial", "stdio",
      "-no-reboot",
      // A guest that a debugger stopped is saved as if it ran: QEMU resumes no other.
      "-global", "migration.store-global-state=off",
      "-chardev", "file,id=control,path=\(control).out,input-path=\(control).in",
      "-mon", "chardev=control,mode=control",
    ]
    if let kernel {
      let words = board.consoleArguments + (commandLine.isEmpty ? "" : " " + commandLine)
      result += ["-kernel", kernel, "-append", words]
    }
    if let secondConsole { result += ["-serial", "file:" + secondConsole] }
    if let disk {
      result += [
        "-drive",
        "if=none,id=disk,format=raw,cache=unsafe,snapshot=\(forgetsDisk ? "on" : "off"),file="
          + disk,
        "-device", "virtio-blk-device,drive=disk",
      ]
    }
    if let deviceTree { result += ["-dtb", deviceTree] }
    if let initrd { result += ["-initrd", initrd] }
    if let savedState { result += ["-incoming", "file:" + savedState] }
    if isSingleThreaded { result += ["-accel", "tcg,thread=single"] }
    if let blockLog {
      let range = blockLog.range
      result += [
        "-d", "exec,in_asm,nochain",
        "-dfilter",
        "0x\(String(range.start.rawValue, radix: 16))+0x\(String(range.size, radix: 16))",
        "-D", blockLog.path,
      ]
    }
    if let trace {
      result += trace.events.flatMap { ["-trace", $0] } + ["-D", trace.path]
    }
    if let debugSocket { result += ["-gdb", "unix:\(debugSocket),server=on,wait=off"] }
    if startsStopped { result += ["-S"] }
    if clocksCountInstructions { result += ["-icount", "shift=0,sleep=off"] }
    if let plugin {
      var option = plugin.library + ",log=" + plugin.log
      if let stage = plugin.stage { option += ",stage=" + stage }
      if let start = plugin.ramStart { option += ",ram=" + String(start, radix: 16) }
      result += ["-plugin", option]
    }
    return result
  }

  private var boardArguments: [String] {
    switch board {
    case .virt:
      [
        "-M",
        "virt,gic-version=\(gic.rawValue),its=\(hasITS || platform == .firmwareACPI ? "on" : "off")"
          + ",acpi=\(platform == .firmwareACPI ? "on" : "off")"
          + ",virtualization=\(level == .el1 ? "off" : "on")",
        "-cpu", cpu ?? level.cpu,
        "-smp", "\(processors)",
        "-m", "\(memory)",
      ] + platform.arguments
    // The first port is the PL011.
    case .raspberryPi3: ["-M", "raspi3b", "-serial", "null"]
    case .sbsaReference:
      // Its display wants a ROM that only PCs have; its tree has one CPU.
      [
        "-M", "sbsa-ref", "-cpu", cpu ?? level.cpu, "-smp", "1", "-m", "\(memory)",
        "-global", "bochs-display.romfile=",
      ]
    }
  }
}
