import CLinuxHost
import HardwareDescription

/// A command line, understood.
struct Invocation: Hashable, Sendable {
  enum Action: Hashable, Sendable {
    case load(image: String)
    case execute
    case unload
    case status
    case check
    case last
    case version
    case help
  }

  var action: Action
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
  var answersInJSON = false
  /// `--mem-min`: the lowest physical address that may be used.
  var memoryMinimum: UInt64 = 0
  /// `--mem-max`: the one above the highest.
  var memoryMaximum = UInt64.max
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
  /// Two options of which one takes back what the other asks for.
  case contradiction(String, String)
  /// `--json` beside what gives no answer.
  case noAnswerInJSON
}

extension Invocation {
  /// Understands `arguments`, the command's name not among them.
  init(parsing arguments: [String]) throws(UsageError) {
    let parsed = try ParsedOptions(arguments)
    var actions: [Action] = []
    var result = Invocation(action: .help)
    var loadOption: String?
    var wantsLoad = false
    for (name, value) in zip(parsed.names, parsed.values) {
      switch name {
      case .load: wantsLoad = true
      case .execute: actions.append(.execute)
      case .unload: actions.append(.unload)
      case .status: actions.append(.status)
      case .last: actions.append(.last)
      case .check: actions.append(.check)
      case .json: result.answersInJSON = true
      case .help: actions.append(.help)
      case .version: actions.append(.version)
      case .debug: result.showsPlan = true
      case .initrd:
        result.initrds.append(value)
        loadOption = "--initrd"
      case .configuration:
        result.configuration = value
        loadOption = "--config"
      case .deviceTree:
        result.deviceTree = value
        loadOption = "--dtb"
      case .append:
        result.commandLine = value
        loadOption = "--append"
      case .reuseCommandLine:
        result.reusesCommandLine = true
        loadOption = "--reuse-cmdline"
      case .noChecks:
        result.verifiesEverything = false
        loadOption = "--no-checks"
      case .dryRun:
        result.isDryRun = true
        loadOption = "--dry-run"
      case .onFailure:
        switch value {
        case "reset": result.haltsOnFailure = false
        case "halt": result.haltsOnFailure = true
        default: throw .badValue(option: "--on-failure", value: value)
        }
        loadOption = "--on-failure"
      case .memoryMinimum:
        result.memoryMinimum = try Self.address(value, of: "--mem-min")
        loadOption = "--mem-min"
      case .memoryMaximum:
        result.memoryMaximum = try Self.address(value, of: "--mem-max")
        loadOption = "--mem-max"
      case .processors:
        result.processorLimit = try Self.count(value, of: "--cpus")
        loadOption = "--cpus"
      case .console:
        guard let console = ConsoleSpecification(parsing: value.utf8) else {
          throw .badValue(option: "--console", value: value)
        }
        result.console = console
        loadOption = "--console"
      case .via:
        result.route = LoadRoute(parsing: value)
        guard result.route != nil || value == "auto" else {
          throw .badValue(option: "--via", value: value)
        }
        loadOption = "--via"
      case .replaceCrashKernel:
        result.replacesCrashKernel = true
        loadOption = "--replace-crash-kernel"
      case .requireVerified:
        result.requiresVerified = true
        loadOption = "--require-verified"
      }
    }
    // As everywhere: help and version win over all else.
    if actions.contains(.help) {
      self = Invocation(action: .help)
      return
    }
    if actions.contains(.version) {
      self = Invocation(action: .version)
      return
    }
    guard actions.count + (wantsLoad ? 1 : 0) <= 1 else { throw .severalActions }
    if wantsLoad {
      guard let image = parsed.operands.first else { throw .noImage }
      if parsed.operands.count > 1 { throw .unexpectedArgument(parsed.operands[1]) }
      guard result.memoryMinimum < result.memoryMaximum else { throw .emptyBounds }
      if result.requiresVerified {
        if !result.verifiesEverything { throw .contradiction("--require-verified", "--no-checks") }
        if result.route == .file { throw .contradiction("--require-verified", "--via=file") }
      }
      if result.route == .file, let option = result.stageOption {
        throw .contradiction("--via=file", option)
      }
      if result.replacesCrashKernel, let route = result.route, route != .crashKernel {
        throw .contradiction("--replace-crash-kernel", "--via=" + route.text)
      }
      result.action = .load(image: image)
    } else {
      guard let action = actions.first else { throw .noAction }
      if let operand = parsed.operands.first { throw .unexpectedArgument(operand) }
      if let loadOption { throw .onlyWithLoad(loadOption) }
      result.action = action
    }
    switch result.action {
    case .status, .check, .last: break
    case .load where result.isDryRun: break
    default: if result.answersInJSON { throw .noAnswerInJSON }
    }
    self = result
  }

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
    return console == nil ? nil : "--console"
  }

  /// A number as kexec-tools takes it: hexadecimal behind 0x, else decimal.
  private static func address(_ text: String, of option: String) throws(UsageError) -> UInt64 {
    let bytes = Array(text.utf8)
    let isHexadecimal = bytes.starts(with: "0x".utf8) || bytes.starts(with: "0X".utf8)
    let digits = bytes.dropFirst(isHexadecimal ? 2 : 0)
    // UInt64's own parser also takes a sign.
    guard let first = digits.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-"),
      let value = UInt64(String(decoding: digits, as: UTF8.self), radix: isHexadecimal ? 16 : 10)
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

  init(_ arguments: [String]) throws(UsageError) {
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
      for name in option.long {
        // Sound: a static string is NUL-terminated and lives for ever.
        unsafe long.append(
          linux_option(
            name: UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self),
            has_argument: option.argument == nil ? 0 : 1, value: option.name.rawValue))
      }
      if let letter = option.short { short += String(letter) }
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
