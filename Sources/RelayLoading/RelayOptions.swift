import HardwareDescription
import KexecRelocation
import PhysicalMemory

/// relay's command line: the words that begin with `relay.` are its own, the others are the next
/// kernel's.
///
///     relay.boot=off|identity|linear|contiguous|none   start the payload, relocated so
///     relay.bench[=MIB,…]                              measure every system, for images of so much
///     relay.hibernate[=MIB]                            restore a snapshot of at least so much
///     relay.level=el1|el2|drop|vhe                     where the work is done
///     relay.granule=4k|16k|64k                         pages of the transitional tables
///     relay.layout=worst|typical|best                  how scattered sources are
///     relay.console=…                                  as baton's --console
///     relay.on-failure=reset|halt
public struct RelayOptions: Sendable, Hashable {
  public enum Action: Sendable, Hashable {
    /// Say what the machine is, and reset.
    case describe
    case boot(RelocationSystem)
    /// Sizes in MiB.
    case bench([Int])
    /// The snapshot's least size in MiB.
    case hibernate(Int)
  }

  /// Where the relocation runs.
  public enum Level: Sendable, Hashable, CaseIterable {
    case el1
    /// EL2's own regime.
    case el2
    /// Entered at EL2; the work is done at EL1.
    case drop
    /// EL2 with HCR_EL2.E2H set, by relay itself where firmware has not.
    case vhe

    public var name: StaticString {
      switch self {
      case .el1: "el1"
      case .el2: "el2"
      case .drop: "drop"
      case .vhe: "vhe"
      }
    }
  }

  public enum Malformed: Error, Sendable, Hashable {
    case unknownOption([UInt8])
    case badValue(option: StaticText, value: [UInt8])
    case twoActions
  }

  public var action = Action.describe
  /// Nil: where relay was entered.
  public var level: Level?
  public var granule = Granule.size4K
  public var layout = SourceLayout.worst
  public var console: Lifeline.Console?
  public var haltsOnFailure = false
  /// The words that are not relay's, with a space between them.
  public var nextCommandLine: [UInt8] = []

  public static let defaultBenchSizes = [25, 120, 380]
  public static let leastSnapshot = 64

  /// - Parameter commandLine: without a terminator.
  public init(parsing commandLine: [UInt8]) throws(Malformed) {
    for word in commandLine.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A }) {
      guard word.starts(with: StaticText("relay.")) else {
        if !nextCommandLine.isEmpty { nextCommandLine.append(0x20) }
        nextCommandLine.append(contentsOf: word)
        continue
      }
      let body = word.dropFirst(6)
      let equals = body.firstIndex(of: 0x3D)
      try take(
        Array(body[..<(equals ?? body.endIndex)]),
        value: equals.map { Array(body[($0 + 1)...]) })
    }
  }

  private mutating func take(_ name: [UInt8], value: [UInt8]?) throws(Malformed) {
    if name.isText("boot") {
      try set(.boot(try choice(RelocationSystem.allCases, "relay.boot", value) { $0.name }))
    } else if name.isText("bench") {
      try set(
        .bench(
          try value.map { text throws(Malformed) in try Self.sizes(text) }
            ?? Self.defaultBenchSizes))
    } else if name.isText("hibernate") {
      var size = Self.leastSnapshot
      if let value {
        guard let number = Self.number(value[...]), 1...(1 << 20) ~= number else {
          throw .badValue(option: "relay.hibernate", value: value)
        }
        size = max(size, number)
      }
      try set(.hibernate(size))
    } else if name.isText("level") {
      level = try choice(Level.allCases, "relay.level", value) { $0.name }
    } else if name.isText("granule") {
      granule = try choice(Granule.allCases, "relay.granule", value) { $0.relayName }
    } else if name.isText("layout") {
      layout = try choice(SourceLayout.allCases, "relay.layout", value) { $0.name }
    } else if name.isText("console") {
      guard let console = ConsoleSpecification(parsing: value ?? []) else {
        throw .badValue(option: "relay.console", value: value ?? [])
      }
      self.console = console.console
    } else if name.isText("on-failure") {
      haltsOnFailure = try choice([false, true], "relay.on-failure", value) {
        $0 ? "halt" : "reset"
      }
    } else {
      throw .unknownOption(name)
    }
  }

  private mutating func set(_ action: Action) throws(Malformed) {
    guard self.action == .describe else { throw .twoActions }
    self.action = action
  }

  private func choice<Value>(
    _ values: [Value], _ option: StaticText, _ text: [UInt8]?, name: (Value) -> StaticString
  ) throws(Malformed) -> Value {
    let text = text ?? []
    for value in values where text.isText(StaticText(name(value))) { return value }
    throw .badValue(option: option, value: text)
  }

  private static func sizes(_ text: [UInt8]) throws(Malformed) -> [Int] {
    var sizes: [Int] = []
    for part in text.split(separator: 0x2C, omittingEmptySubsequences: false) {
      guard let number = number(part), 1...(1 << 20) ~= number else {
        throw .badValue(option: "relay.bench", value: text)
      }
      sizes.append(number)
    }
    return sizes
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    guard !digits.isEmpty, digits.count <= 9 else { return nil }
    var value = 0
    for digit in digits {
      guard 0x30...0x39 ~= digit else { return nil }
      value = value * 10 + Int(digit - 0x30)
    }
    return value
  }
}

extension Granule {
  /// As `relay.granule=` spells it.
  public var relayName: StaticString {
    switch self {
    case .size4K: "4k"
    case .size16K: "16k"
    case .size64K: "64k"
    }
  }
}
