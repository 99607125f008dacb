import PhysicalMemory

/// What `baton -l -d` says about its plan: which piece lies where in physical memory.
///
///     kernel  0x42000000  27236288 bytes …
///     entry 0x48000000
///
/// A piece's line has its name, its first address in hexadecimal and its size in decimal; other
/// words, and other lines, are for people.
public struct PlanListing: Sendable {
  public enum Piece: String, Sendable, CaseIterable {
    case kernel, initrd, dtb, stage, tables, block
  }

  /// Where the pieces lie.
  public private(set) var ranges: [Piece: PhysicalRange] = [:]
  /// The bytes that the running kernel moves when it has stopped: those of the normal slot.
  public private(set) var relocatedBytes: UInt64 = 0
  /// The way that the load takes: the word behind "via".
  public private(set) var route: String?
  /// The address at which the stage is entered.
  public private(set) var entry: PhysicalAddress?

  public init(_ lines: some Sequence<String>) {
    for line in lines { read(line) }
  }

  private mutating func read(_ line: String) {
    let words = line.split { $0 == " " || $0 == "," || $0 == ":" }
    if let word = words.firstIndex(of: "entry"),
      let address = words[word...].lazy.compactMap({ Self.address($0) }).first
    {
      entry = address
    }
    if words.count > 1, words[0] == "via" { route = String(words[1]) }
    guard words.count >= 4, words[3] == "bytes", let start = Self.address(words[1]),
      let size = UInt64(words[2]), let range = PhysicalRange(start: start, size: size)
    else { return }
    // What is in place, or is the stage's to move, is in the crash slot.
    if !line.hasSuffix(", in place"), !line.contains(", then moved to ") { relocatedBytes += size }
    if let piece = Piece(rawValue: String(words[0])) { ranges[piece] = range }
  }

  private static func address(_ word: Substring) -> PhysicalAddress? {
    guard word.hasPrefix("0x") else { return nil }
    return UInt64(word.dropFirst(2), radix: 16).map { PhysicalAddress($0) }
  }
}
