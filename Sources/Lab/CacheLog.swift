/// The log of the lab's model of the caches (Sources/CCachePlugin/cache_log.c says what is in it).
public struct CacheLog: Sendable {
  /// What a violation is of.
  public enum Kind: String, Sendable, CaseIterable {
    case read, write, fetch, drop, stale, icache, left, order, tlb, sync
  }

  /// A rule that was broken, at an instruction.
  public struct Violation: Sendable, Hashable, CustomStringConvertible {
    public var kind: Kind
    /// The line's physical address; 0 where the violation is of no line.
    public var line: UInt64
    public var pc: UInt64

    public init(kind: Kind, line: UInt64, pc: UInt64) {
      self.kind = kind
      self.line = line
      self.pc = pc
    }

    public var description: String {
      kind.rawValue + (line == 0 ? "" : " of the line at 0x\(String(line, radix: 16))")
        + ", by the instruction at 0x\(String(pc, radix: 16))"
    }
  }

  /// The first violations of each kind.
  public private(set) var violations: [Violation] = []
  /// All violations, by kind; empty where the next kernel was not reached.
  public private(set) var counts: [Kind: UInt64] = [:]
  /// How much the model looked at, by name.
  public private(set) var checked: [String: UInt64] = [:]
  /// Whether the next kernel was reached.
  public private(set) var jumped = false

  /// Parses the plugin's file.
  ///
  /// - Throws: `LabError.malformed` with the first line that is none of the log's.
  public init(_ text: String) throws(LabError) {
    for line in text.split(separator: "\n") {
      guard read(line.split(separator: " ")) else {
        throw .malformed(what: "the cache model's log", line: String(line))
      }
    }
  }

  private mutating func read(_ words: [Substring]) -> Bool {
    switch (words.first, words.count) {
    case ("violation", 4):
      guard let kind = Kind(rawValue: String(words[1])), let line = UInt64(words[2], radix: 16),
        let pc = UInt64(words[3], radix: 16)
      else { return false }
      violations.append(Violation(kind: kind, line: line, pc: pc))
    case ("jump", 2):
      jumped = true
    case ("count", 3):
      guard let kind = Kind(rawValue: String(words[1])), let count = UInt64(words[2]) else {
        return false
      }
      counts[kind] = count
    case ("checked", 3):
      guard let count = UInt64(words[2]) else { return false }
      checked[String(words[1])] = count
    default:
      return false
    }
    return true
  }
}
