import CLinuxHost
import HardwareDescription
import LinuxHost

/// A command line, understood.
struct Invocation: Hashable, Sendable {
  enum Action: Hashable, Sendable {
    case load(image: String)
    case execute
    case unload
    case status
    case check
    case last
    case printCrashKernelSize
    case version
    case help
  }

  /// What follows a load that succeeded.
  enum AfterLoading: Hashable, Sendable {
    case nothing
    /// The loaded kernel is started at once: `--force`, and `--load` beside `--exec`.
    case execute
    /// shutdown(8) is called, whose last act starts the loaded kernel: `kexec IMAGE`.
    case shutDown
  }

  var action: Action
  /// What the command was called as.
  var caller = Caller.baton
  /// What `--load`, `--unload` and `--status` are about: with `--load-panic`, the crash kernel.
  var slot = KexecSlot.normal
  var afterLoading = AfterLoading.nothing
  /// Whether `--unload` also unloads what something else has loaded: `baton -u -f`, and always as `kexec`.
  var unloadsAnything = false
  /// Whether file systems are written back at the end.
  var syncs = false
  /// Whether network interfaces are taken down before the loaded kernel starts.
  var takesInterfacesDown = false
  /// `--initrd`'s, in their order.
  var initrds: [String] = []
  /// `--config`'s: the configuration of a FIT image.
  var configuration: String?
  var deviceTree: String?
  /// `--append`'s string.
  var commandLine: String?
  var reusesCommandLine = false
  var verifiesEverything = true
  var haltsOnFailure = false
  /// `--console`'s; nil leaves the choice to the device tree.
  var console: ConsoleSpecification?
  var isDryRun = false
  var showsPlan = false
  var isQuiet = false
  /// Who is shown how far long work is.
  var audience: Audience { Audience(caller: caller, isQuiet: isQuiet) }
  var answersInJSON = false
  /// `--mem-min`: the lowest physical address that may be used.
  var memoryMinimum: UInt64 = 0
  /// `--mem-max`: the one above the highest.
  var memoryMaximum = UInt64.max
  /// `--serial`: the console's name under /sys/class/tty.
  var serial: String?
  /// `--type`: what the image has to be.
  var type: KernelType?
  /// `--reuseinitrd`: the running kernel's is the next one's.
  var reusesInitrd = false
  /// `--kexec-syscall`, `--kexec-file-syscall`; nil: what works here.
  var systemCall: LoadSystemCall?
  /// `--cpus`: how many CPUs may share the stage's work.
  var processorLimit = Int.max
  /// `--via`'s; nil: the best that works.
  var route: LoadRoute?
  /// Whether a dump kernel may be unloaded for `--via=crashkernel`.
  var replacesCrashKernel = false
  /// Whether a load that is not verified between the kernels is refused.
  var requiresVerified = false
}

/// A command line that makes no sense.
enum UsageError: Error, Hashable, Sendable {
  case unknownOption(String)
  case noAction
  case severalActions
  case noImage
  case unexpectedArgument(String)
  /// An option of `--load` beside another action.
  case onlyWithLoad(String)
  case badValue(option: String, value: String)
  case badAddress(option: String, value: String)
  /// `--mem-min` is not below `--mem-max`.
  case emptyBounds
  /// An option of kexec-tools that has no meaning here, and why.
  case meaningless(String, why: String)
  /// An option of `--exec` beside another action.
  case onlyWithExecute(String)
  /// Two options that cannot both be honoured.
  case contradiction(String, String)
  /// `--json` beside what gives no answer.
  case noAnswerInJSON
}

extension Invocation {
  /// Understands `arguments`, the command's name not among them.
  ///
  /// - Parameter caller: what the command was called as.
  init(parsing arguments: [String], as caller: Caller = .baton) throws(UsageError) {
    let parsed = try ParsedOptions(arguments, as: caller)
    var tasks = TaskOptions()
    var result = Invocation(action: .help, caller: caller)
    var loadOption: CommandOption.Name?
    for (name, value) in zip(parsed.names, parsed.values) {
      if name.goesWithLoadOnly { loadOption = name }
      switch name {
      case .load, .loadPanic, .force, .execute, .unload, .status, .last, .check:
        tasks.requested.append(name)
      case .noInterfacesDown: tasks.leavesInterfacesUp = true
      case .noSync: tasks.skipsSync = true
      case .json: result.answersInJSON = true
      // As everywhere: what asks about the command wins over all else, the first of them.
      case .help:
        self = Invocation(action: .help, caller: caller)
        return
      case .version:
        self = Invocation(action: .version, caller: caller)
        return
      case .printCrashKernelSize:
        self = Invocation(action: .printCrashKernelSize, caller: caller)
        return
      case .debug: result.showsPlan = true
      case .quiet: result.isQuiet = true
      case .initrd: result.initrds.append(value)
      case .configuration: result.configuration = value
      case .deviceTree: result.deviceTree = value
      case .append: result.commandLine = value
      case .reuseCommandLine: result.reusesCommandLine = true
      case .noChecks: result.verifiesEverything = false
      case .dryRun: result.isDryRun = true
      case .onFailure:
        switch value {
        case "reset": result.haltsOnFailure = false
        case "halt": result.haltsOnFailure = true
        default: throw .badValue(option: "--on-failure", value: value)
        }
      case .memoryMinimum: result.memoryMinimum = try Self.address(value, of: "--mem-min")
      case .memoryMaximum: result.memoryMaximum = try Self.address(value, of: "--mem-max")
      case .processors: result.processorLimit = try Self.count(value, of: "--cpus")
      case .console:
        guard let console = ConsoleSpecification(parsing: value.utf8) else {
          throw .badValue(option: "--console", value: value)
        }
        result.console = console
      case .via:
        result.route = LoadRoute(parsing: value)
        guard result.route != nil || value == "auto" else {
          throw .badValue(option: "--via", value: value)
        }
      case .replaceCrashKernel: result.replacesCrashKernel = true
      case .requireVerified: result.requiresVerified = true
      case .serial: result.serial = value
      case .type:
        guard let type = KernelType(rawValue: value) else {
          throw .badValue(option: "--type", value: value)
        }
        result.type = type
      case .entry:
        guard try Self.address(value, of: "--entry") == 0 else {
          throw .meaningless("--entry", why: "arm64 kernels do not jump back; leave it out")
        }
      case .reuseInitrd: result.reusesInitrd = true
      case .memorySystemCall: result.systemCall = .memory
      case .fileSystemCall: result.systemCall = .file
      case .automaticSystemCall: result.systemCall = nil
      case .forceTree: break
      case .noContiguousMemory: break
      case .loadPreservingContext:
        throw .meaningless("--load-preserve-context", why: "arm64 kernels do not jump back")
      case .loadJumpBackHelper:
        throw .meaningless("--load-jump-back-helper", why: "arm64 kernels do not jump back")
      case .loadLiveUpdate: throw .meaningless("--load-live-update", why: "it is for Xen hosts")
      case .executeLiveUpdate:
        throw .meaningless("--exec-live-update", why: "it is for Xen hosts")
      case .hotplug:
        throw .meaningless(
          "--hotplug",
          why: "arm64 kernels do not update a loaded crash kernel; load it anew after CPUs change")
      }
    }
    if !result.initrds.isEmpty, result.reusesInitrd {
      throw .contradiction("--initrd", "--reuseinitrd")
    }
    if result.reusesInitrd { result.initrds = [Self.retainedInitrd] }
    if result.console != nil, result.serial != nil { throw .contradiction("--console", "--serial") }
    try tasks.resolve(for: caller, operands: parsed.operands, into: &result)
    if case .load = result.action {
      guard result.memoryMinimum < result.memoryMaximum else { throw .emptyBounds }
      if result.systemCall == .file {
        if let route = result.route, route != .file {
          throw .contradiction("--kexec-file-syscall", "--via=" + route.text)
        }
        result.route = .file
      }
      if result.systemCall == .memory, result.route == .file {
        throw .contradiction("--kexec-syscall", "--via=file")
      }
      if result.requiresVerified {
        if !result.verifiesEverything { throw .contradiction("--require-verified", "--no-checks") }
        if result.route == .file { throw .contradiction("--require-verified", "--via=file") }
      }
      // All of it goes into the reserved memory, and no other CPU is woken after a crash.
      if result.slot == .crash {
        if let route = result.route, route != .file {
          throw .contradiction("--load-panic", "--via=" + route.text)
        }
        if result.replacesCrashKernel {
          throw .contradiction("--load-panic", "--replace-crash-kernel")
        }
        if result.processorLimit != .max { throw .contradiction("--load-panic", "--cpus") }
      }
      if result.route == .file, let option = result.stageOption {
        throw .contradiction("--via=file", option)
      }
      if result.replacesCrashKernel, let route = result.route, route != .crashKernel {
        throw .contradiction("--replace-crash-kernel", "--via=" + route.text)
      }
    } else if caller == .baton, let loadOption {
      throw .onlyWithLoad(loadOption.spelling)
    }
    switch result.action {
    case .status, .check, .last: break
    case .load where result.isDryRun: break
    default: if result.answersInJSON { throw .noAnswerInJSON }
    }
    self = result
  }

  /// What a kernel shows of the initrd that retain_initrd has kept.
  static var retainedInitrd: String { "/sys/firmware/initrd" }

  private static func count(_ text: String, of option: String) throws(UsageError) -> Int {
    guard let first = text.utf8.first, first != UInt8(ascii: "+"), let count = Int(text), count > 0
    else { throw .badValue(option: option, value: text) }
    return count
  }

  /// An option that only a load with Baton's stage can honour, as `kexec_file_load(2)` places
  /// everything by itself and takes no tree; nil where none was given.
  var stageOption: String? {
    if deviceTree != nil { return "--dtb" }
    if initrds.count > 1 { return "a second --initrd" }
    if memoryMinimum != 0 { return "--mem-min" }
    if memoryMaximum != .max { return "--mem-max" }
    if haltsOnFailure { return "--on-failure=halt" }
    if serial != nil { return "--serial" }
    if configuration != nil { return "--config" }
    return console == nil ? nil : "--console"
  }

  /// A number as kexec-tools takes it: hexadecimal behind 0x, octal behind 0, else decimal.
  private static func address(_ text: String, of option: String) throws(UsageError) -> UInt64 {
    let bytes = Array(text.utf8)
    let isHexadecimal = bytes.starts(with: "0x".utf8) || bytes.starts(with: "0X".utf8)
    let isOctal = !isHexadecimal && bytes.count > 1 && bytes.first == UInt8(ascii: "0")
    let digits = bytes.dropFirst(isHexadecimal ? 2 : 0)
    // UInt64's own parser also takes a sign.
    guard let first = digits.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-"),
      let value = UInt64(
        String(decoding: digits, as: UTF8.self), radix: isHexadecimal ? 16 : isOctal ? 8 : 10)
    else { throw .badAddress(option: option, value: text) }
    return value
  }
}

/// The options in their order, and what is none, by getopt_long(3).
private struct ParsedOptions {
  var names: [CommandOption.Name] = []
  /// One for each name, empty where the option takes none.
  var values: [String] = []
  var operands: [String] = []

  init(_ arguments: [String], as caller: Caller) throws(UsageError) {
    // getopt permutes its argument vector and wants it NULL-terminated, as main's is.
    // Sound: every index below is one of the vector's `words.count + 1` elements, and every string
    // in it is NUL-terminated and lives until the `defer`.
    let words = ["baton"] + arguments
    let vector = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
      capacity: words.count + 1)
    for (index, word) in words.enumerated() { unsafe vector[index] = Self.copy(word) }
    unsafe vector[words.count] = nil
    defer {
      // Sound: each was allocated above; getopt only changed their order.
      for index in words.indices { unsafe vector[index]?.deallocate() }
      unsafe vector.deallocate()
    }

    var long: [linux_option] = unsafe []
    var short = ""
    for option in CommandOption.all {
      // kexec-tools lets options be abbreviated: what only Baton has must be written out then, or it
      // would make an abbreviation ambiguous that is none.
      if caller == .kexec, !option.isOfKexecTools, !option.isWrittenOut(in: arguments) { continue }
      for name in option.long {
        // Sound: a static string is NUL-terminated and lives for ever.
        unsafe long.append(
          linux_option(
            name: UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self),
            has_argument: option.argument == nil ? 0 : 1, value: option.name.rawValue))
      }
      if let letter = option.short {
        short += String(letter)
        if option.argument != nil { short += ":" }
      }
    }
    linux_getopt_begin()
    defer { linux_getopt_end() }
    while true {
      // Sound: the C side copies the option table; the vector outlives the loop.
      let code = unsafe short.withCString { short in
        unsafe long.withUnsafeBufferPointer { long in
          unsafe linux_getopt_long(
            Int32(words.count), vector, short, long.baseAddress, long.count)
        }
      }
      if code == -1 { break }
      guard let name = CommandOption.Name(rawValue: code) else {
        throw .unknownOption(unsafe Self.refused(vector))
      }
      names.append(name)
      if let argument = unsafe linux_option_argument() {
        values.append(unsafe String(cString: argument))
      } else {
        values.append("")
      }
      // What stands behind these is not looked at.
      if [.help, .version, .printCrashKernelSize].contains(name) { return }
    }
    for index in Int(linux_option_index())..<words.count {
      if let operand = unsafe vector[index] { operands.append(unsafe String(cString: operand)) }
    }
  }

  /// The option that getopt did not take, as it was written.
  private static func refused(
    _ vector: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  ) -> String {
    let letter = linux_option_refused()
    if letter > 0, letter < 128 {
      return "-" + String(Character(Unicode.Scalar(UInt8(truncatingIfNeeded: letter))))
    }
    // A byte of a letter of several, numbered differently by each C library; nor does it say which
    // word that was, for the word is not finished.
    if letter != 0, CommandOption.Name(rawValue: letter) == nil { return "-\u{FFFD}" }
    guard let word = unsafe vector[Int(linux_option_index()) - 1] else { return "" }
    return unsafe String(cString: word)
  }

  /// A NUL-terminated copy, which the caller deallocates.
  private static func copy(_ text: String) -> UnsafeMutablePointer<CChar> {
    let bytes = Array(text.utf8)
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
    for index in bytes.indices { unsafe copy[index] = CChar(bitPattern: bytes[index]) }
    unsafe copy[bytes.count] = 0
    return unsafe copy
  }
}
