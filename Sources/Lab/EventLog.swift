/// The log of the lab's QEMU plugin (Sources/CLabPlugin/event_log.c says what is in it).
public struct EventLog: Sendable {
  /// The events in the order in which they happened.
  public let events: [Event]

  public struct Event: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
      /// A byte went to the UART.
      case uart(UInt8)
      /// The SCTLR_ELx of the event's level was given `value`.
      case sctlr(value: UInt64)
      /// The stage's first instruction was executed.
      case stageEntry
      /// A kernel Image's first instruction was executed.
      case kernelEntry
      /// `size` bytes of the stage's code were made ready to be executed.
      case stageCode(size: UInt64)
    }
    public var kind: Kind
    /// Guest instructions completed, on all CPUs.
    public var instructions: UInt64
    /// The CPU, by QEMU's number.
    public var processor: Int
    /// Data accesses made with the caches off, on all CPUs.
    public var uncachedAccesses: UInt64
    /// The exception level, and the program counter; 0 where a byte went to the UART.
    public var level: Int
    public var pc: UInt64

    /// Whether stage 1 translation was switched on or off, or set to what it may have been
    /// (SCTLR_ELx.M); nil for any other event.
    public var switchesTranslation: Translation? {
      guard case .sctlr(let value) = kind else { return nil }
      return value & 1 == 1 ? .on : .off
    }

    public enum Translation: Sendable {
      case on, off
    }
  }

  /// A text on the console, by the events of its first and its last byte.
  public struct Occurrence: Sendable {
    public let first: Int
    public let last: Int
  }

  /// Parses the plugin's file.
  ///
  /// - Throws: `LabError.malformed` with the first line that is none of the log's. A last line
  ///   without its end is left out: the guest was ended while it was written.
  public init(_ text: String) throws(LabError) {
    var events: [Event] = []
    var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    lines.removeLast()
    events.reserveCapacity(lines.count)
    for line in lines {
      guard let event = Event(line) else {
        throw .malformed(what: "the plugin's log", line: String(Substring(line)))
      }
      events.append(event)
    }
    self.events = events
  }

  /// Where `text` appears on the console for the first time at or after event `start`.
  public func occurrence(of text: String, from start: Int = 0) -> Occurrence? {
    let wanted = Array(text.utf8)
    var positions: [Int] = []
    var bytes: [UInt8] = []
    for index in events.indices.dropFirst(start) {
      guard case .uart(let byte) = events[index].kind else { continue }
      positions.append(index)
      bytes.append(byte)
      if bytes.count >= wanted.count, byte == wanted.last, bytes.suffix(wanted.count) == wanted[...]
      {
        return Occurrence(first: positions[positions.count - wanted.count], last: index)
      }
    }
    return nil
  }

  /// The first event at or after `start` for which `condition` holds.
  public func first(from start: Int, where condition: (Event) -> Bool) -> Int? {
    events.indices.dropFirst(start).first { condition(events[$0]) }
  }

  /// The guest instructions between two events: of the second, but not of the first.
  public func instructions(_ from: Int, _ to: Int) -> UInt64 {
    events[to].instructions &- events[from].instructions
  }
}

extension EventLog.Event {
  fileprivate init?(_ line: Substring.UTF8View) {
    let fields = line.split(separator: UInt8(ascii: " "))
    func number(_ index: Int, radix: Int = 10) -> UInt64? {
      index < fields.count ? UInt64(Substring(fields[index]), radix: radix) : nil
    }
    guard fields.count >= 6, let instructions = number(1), let uncached = number(4),
      let processor = number(2).flatMap(Int.init(exactly:))
    else { return nil }
    self.instructions = instructions
    self.processor = processor
    uncachedAccesses = uncached
    pc = 0
    level = 0
    if fields[0].elementsEqual("uart".utf8) {
      guard let byte = number(5, radix: 16).flatMap(UInt8.init(exactly:)) else { return nil }
      kind = .uart(byte)
      return
    }
    guard let level = number(5).flatMap(Int.init(exactly:)), let pc = number(6, radix: 16) else {
      return nil
    }
    self.pc = pc
    self.level = level
    switch String(Substring(fields[0])) {
    case "sctlr":
      guard let value = number(7, radix: 16) else { return nil }
      kind = .sctlr(value: value)
    case "stage": kind = .stageEntry
    case "kernel": kind = .kernelEntry
    case "code":
      guard let size = number(7) else { return nil }
      kind = .stageCode(size: size)
    default: return nil
    }
  }
}
