/// The options, once: getopt_long's table, `--help` and the checks all come from here. Spelling
/// and meaning are kexec-tools' where it has the option.
package struct CommandOption: Sendable {
  package enum Name: Int32, Sendable {
    case load = 108  // l
    case loadPanic = 112  // p
    case execute = 101  // e
    case force = 102  // f
    case unload = 117  // u
    case status = 83  // S
    case noInterfacesDown = 120  // x
    case noSync = 121  // y
    case type = 116  // t
    case fileSystemCall = 115  // s
    case memorySystemCall = 99  // c
    case automaticSystemCall = 97  // a
    case noChecks = 105  // i
    case debug = 100  // d
    case quiet = 113  // q
    case version = 118  // v
    case help = 104  // h
    case initrd = 256
    case configuration
    case deviceTree
    case append
    case reuseCommandLine
    case dryRun
    case onFailure
    case check
    case last
    case json
    case memoryMinimum
    case memoryMaximum
    case console
    case processors
    case via
    case replaceCrashKernel
    case requireVerified
    case serial
    case entry
    case reuseInitrd
    case printCrashKernelSize
    case forceTree
    case noContiguousMemory
    // What arm64 has no use for; see `refusal`.
    case loadPreservingContext
    case loadJumpBackHelper
    case loadLiveUpdate
    case executeLiveUpdate
    case hotplug

    /// Whether it says how something is loaded, and so makes no sense without.
    var goesWithLoadOnly: Bool {
      switch self {
      case .initrd, .configuration, .deviceTree, .append, .reuseCommandLine, .noChecks, .dryRun,
        .onFailure, .memoryMinimum, .memoryMaximum, .processors, .console, .via,
        .replaceCrashKernel, .requireVerified, .serial, .type, .reuseInitrd:
        true
      default: false
      }
    }

    /// As it is shown, with its dashes; empty where it is not in the table.
    var spelling: String {
      for option in CommandOption.all where option.name == self {
        return "--" + String(option.long[0])
      }
      return ""
    }
  }

  package let name: Name
  /// Spellings without the dashes; the first is the one that is shown.
  package let long: [StaticString]
  /// What `--help` calls the argument; nil where there is none.
  package let argument: StaticString?
  package let help: StaticString

  /// The letter of the short form, where there is one.
  package var short: Character? {
    name.rawValue < 256 ? Character(Unicode.Scalar(UInt8(truncatingIfNeeded: name.rawValue))) : nil
  }

  /// Whether kexec-tools has it, too, in one of its releases 2.0.25 to 2.0.32.
  package var isOfKexecTools: Bool {
    switch name {
    case .load, .loadPanic, .execute, .force, .unload, .status, .noInterfacesDown, .noSync, .type,
      .fileSystemCall, .memorySystemCall, .automaticSystemCall, .noChecks, .debug, .version, .help,
      .initrd, .deviceTree, .append, .reuseCommandLine, .memoryMinimum, .memoryMaximum, .serial,
      .entry, .reuseInitrd, .printCrashKernelSize, .forceTree, .noContiguousMemory,
      .loadPreservingContext, .loadJumpBackHelper, .loadLiveUpdate, .executeLiveUpdate, .hotplug:
      true
    default: false
    }
  }

  /// Whether one of its spellings is among `arguments`, whole.
  func isWrittenOut(in arguments: [String]) -> Bool {
    for name in long {
      let word = "--" + String(name)
      for argument in arguments
      where argument == word || argument.utf8.starts(with: (word + "=").utf8) { return true }
    }
    return false
  }

  package static var all: [CommandOption] {
    [
      CommandOption(
        name: .load, long: ["load"], argument: nil,
        help: "Load the kernel IMAGE into the running kernel."),
      CommandOption(
        name: .loadPanic, long: ["load-panic"], argument: nil,
        help: "Load IMAGE to be started when the running kernel crashes; with -u: unload that."),
      CommandOption(
        name: .execute, long: ["exec"], argument: nil,
        help: "Start the loaded kernel; with -l: the one just loaded. No service is stopped."),
      CommandOption(
        name: .force, long: ["force"], argument: nil,
        help: "Load IMAGE and start it: -l and -e in one; with -u: unload whatever is loaded."),
      CommandOption(
        name: .unload, long: ["unload"], argument: nil,
        help: "Unload what baton -l loaded; called as kexec: whatever is loaded."),
      CommandOption(
        name: .status, long: ["status"], argument: nil,
        help: "Say what is loaded. Exit status 0: a kernel, 1: none."),
      CommandOption(
        name: .check, long: ["check"], argument: nil,
        help: "Say what will work on this machine and what not. Exit status 0: loading works."),
      CommandOption(
        name: .last, long: ["last"], argument: nil,
        help: "Say how the last handoff went. Exit status 0: it arrived here."),
      CommandOption(
        name: .json, long: ["json"], argument: nil,
        help: "Answer --check, --last, --status and --dry-run in JSON."),
      CommandOption(
        name: .initrd, long: ["initrd", "ramdisk"], argument: "FILE",
        help: "Initial RAM disk for the next kernel; several are joined."),
      CommandOption(
        name: .configuration, long: ["config"], argument: "NAME",
        help: "Configuration of a FIT image (also IMAGE#NAME; default: its own)."),
      CommandOption(
        name: .reuseInitrd, long: ["reuseinitrd"], argument: nil,
        help: "The running kernel's initrd, which retain_initrd on its command line has kept."),
      CommandOption(
        name: .deviceTree, long: ["dtb"], argument: "FILE",
        help: "Device tree for the next kernel, instead of the running one's."),
      CommandOption(
        name: .append, long: ["append", "command-line"], argument: "STRING",
        help: "The next kernel's command line."),
      CommandOption(
        name: .reuseCommandLine, long: ["reuse-cmdline"], argument: nil,
        help: "Begin the command line with the running kernel's."),
      CommandOption(
        name: .type, long: ["type"], argument: "TYPE",
        help: "Refuse IMAGE unless it is of this type; the type is recognized by content."),
      CommandOption(
        name: .entry, long: ["entry"], argument: "ADDR",
        help: "Accepted with 0 only: arm64 kernels do not jump back."),
      CommandOption(
        name: .noInterfacesDown, long: ["no-ifdown"], argument: nil,
        help: "Leave network interfaces up before starting."),
      CommandOption(
        name: .noSync, long: ["no-sync"], argument: nil,
        help: "Do not write file systems back before starting."),
      CommandOption(
        name: .memorySystemCall, long: ["kexec-syscall"], argument: nil,
        help: "Load by kexec_load(2) only."),
      CommandOption(
        name: .fileSystemCall, long: ["kexec-file-syscall"], argument: nil,
        help: "Load by kexec_file_load(2) only, as a locked-down kernel wants it."),
      CommandOption(
        name: .automaticSystemCall, long: ["kexec-syscall-auto"], argument: nil,
        help: "Load by the call that works here (default)."),
      CommandOption(
        name: .noChecks, long: ["no-checks"], argument: nil,
        help: "Verify a sample of 64 pages between the kernels, not every byte."),
      CommandOption(
        name: .onFailure, long: ["on-failure"], argument: "reset|halt",
        help: "What to do if verification fails (default: reset)."),
      CommandOption(
        name: .memoryMinimum, long: ["mem-min"], argument: "ADDR",
        help: "Load nothing below the physical address ADDR."),
      CommandOption(
        name: .memoryMaximum, long: ["mem-max"], argument: "ADDR",
        help: "Load nothing at or above the physical address ADDR."),
      CommandOption(
        name: .console, long: ["console"], argument: "KIND,ADDRESS[,SHIFT,WIDTH]",
        help: "Where the stage writes: pl011, 8250 or none (default: the device tree's)."),
      CommandOption(
        name: .serial, long: ["serial"], argument: "NAME",
        help: "Where the stage writes, by the console's name: ttyAMA0, ttyS0."),
      CommandOption(
        name: .processors, long: ["cpus"], argument: "N",
        help: "Let at most N CPUs verify (default: all, where it is worth it; 1: one alone)."),
      CommandOption(
        name: .via, long: ["via"], argument: "auto|crashkernel|memory|file",
        help: "Where the next kernel waits (default: auto; see Documentation/staged.md)."),
      CommandOption(
        name: .replaceCrashKernel, long: ["replace-crash-kernel"], argument: nil,
        help: "Let --via=crashkernel take the place of a dump kernel that is loaded."),
      CommandOption(
        name: .requireVerified, long: ["require-verified"], argument: nil,
        help: "Refuse to load what is not verified, every byte, between the kernels."),
      CommandOption(
        name: .dryRun, long: ["dry-run"], argument: nil,
        help: "Do everything but load, and show the plan."),
      CommandOption(
        name: .printCrashKernelSize, long: ["print-ckr-size"], argument: nil,
        help: "Print how many bytes crashkernel= has reserved."),
      CommandOption(
        name: .forceTree, long: ["force-dtb"], argument: nil,
        help: "Accepted: the running kernel's device tree is always handed on."),
      CommandOption(
        name: .noContiguousMemory, long: ["no-cma"], argument: nil,
        help: "Accepted: kexec_load(2) never takes memory from the contiguous allocator."),
      CommandOption(
        name: .loadPreservingContext, long: ["load-preserve-context"], argument: nil,
        help: "Refused: arm64 kernels do not jump back."),
      CommandOption(
        name: .loadJumpBackHelper, long: ["load-jump-back-helper"], argument: nil,
        help: "Refused: arm64 kernels do not jump back."),
      CommandOption(
        name: .loadLiveUpdate, long: ["load-live-update"], argument: nil,
        help: "Refused: for Xen hosts."),
      CommandOption(
        name: .executeLiveUpdate, long: ["exec-live-update"], argument: nil,
        help: "Refused: for Xen hosts."),
      CommandOption(
        name: .hotplug, long: ["hotplug"], argument: nil,
        help: "Refused: arm64 kernels do not update a loaded crash kernel themselves."),
      CommandOption(
        name: .debug, long: ["debug"], argument: nil, help: "Show the plan while loading."),
      CommandOption(
        name: .quiet, long: ["quiet"], argument: nil,
        help: "Show no progress on a terminal (elsewhere none is shown)."),
      CommandOption(
        name: .version, long: ["version"], argument: nil,
        help: "Show the version, and the build ids of command and stage."),
      CommandOption(name: .help, long: ["help"], argument: nil, help: "Show this list."),
    ]
  }
}
