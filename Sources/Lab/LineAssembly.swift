/// Makes lines of a console's bytes, which arrive in pieces of any size.
struct LineAssembly {
  /// The completed lines so far, without their ends.
  private(set) var lines: [String] = []
  private var rest: [UInt8] = []

  /// Adds bytes and returns the lines that they complete.
  mutating func append(_ bytes: RawSpan) -> [String] {
    var completed: [String] = []
    for index in 0..<bytes.byteCount {
      // Sound: the index is below the span's count, and every bit pattern is a UInt8.
      let byte = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self)
      if byte == UInt8(ascii: "\n") {
        completed.append(line)
        rest.removeAll(keepingCapacity: true)
      } else if byte != UInt8(ascii: "\r") {
        rest.append(byte)
      }
    }
    lines += completed
    return completed
  }

  /// What a terminal shows of `rest`: not what was written over.
  private var line: String {
    let text = String(decoding: rest, as: UTF8.self)
    // A program that shows its progress ends each state of it, and at last nothing, so.
    return text.ranges(of: "\u{1B}[K").last.map { String(text[$0.upperBound...]) } ?? text
  }

  /// What came after the last end of a line, as the last line.
  mutating func finish() -> [String] {
    guard !rest.isEmpty else { return [] }
    let last = line
    rest = []
    lines.append(last)
    return [last]
  }
}
