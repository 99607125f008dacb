/// The options, once: getopt_long's table, `--help` and the checks all come from here. Spelling
/// and meaning are kexec-tools'.
struct CommandOption: Sendable {
  enum Name: Int32, Sendable {
    case load = 108  // l
    case execute = 101  // e
    case unload = 117  // u
    case status = 83  // S
    case noChecks = 105  // i
    case debug = 100  // d
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
  }

  let name: Name
  /// Spellings without the dashes; the first is the one that is shown.
  let long: [StaticString]
  /// What `--help` calls the argument; nil where there is none.
  let argument: StaticString?
  let help: StaticString

  /// The letter of the short form, where there is one.
  var short: Character? {
    name.rawValue < 256 ? Character(Unicode.Scalar(UInt8(truncatingIfNeeded: name.rawValue))) : nil
  }

  static var all: [CommandOption] {
    [
      CommandOption(
        name: .load, long: ["load"], argument: nil,
        help: "Load the kernel IMAGE into the running kernel."),
      CommandOption(
        name: .execute, long: ["exec"], argument: nil,
        help: "Start the loaded kernel: file systems are synced, nothing else is shut down."),
      CommandOption(
        name: .unload, long: ["unload"], argument: nil, help: "Unload what is loaded."),
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
        name: .deviceTree, long: ["dtb"], argument: "FILE",
        help: "Device tree for the next kernel, instead of the running one's."),
      CommandOption(
        name: .append, long: ["append", "command-line"], argument: "STRING",
        help: "The next kernel's command line."),
      CommandOption(
        name: .reuseCommandLine, long: ["reuse-cmdline"], argument: nil,
        help: "Begin the command line with the running kernel's."),
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
        name: .debug, long: ["debug"], argument: nil, help: "Show the plan while loading."),
      CommandOption(
        name: .version, long: ["version"], argument: nil,
        help: "Show the version and the stage's build id."),
      CommandOption(name: .help, long: ["help"], argument: nil, help: "Show this list."),
    ]
  }
}
