/// What relay's bench has counted, a page of 4 KiB: of a guest whose clocks count instructions.
public struct RelayBenchTable: Sendable {
  /// A row of the bench's CSV.
  public struct Row: Sendable {
    /// Size, granule, system and layout.
    public let name: [String]
    /// Instructions for each 4 KiB of the image.
    public let list, build, block, move: Double

    /// Nil where `line` is none.
    init?(_ line: String) {
      guard line.hasPrefix("relay: csv: ") else { return nil }
      let fields = line.dropFirst(12).split(separator: ",").map { String($0) }
      guard fields.count == 13, let size = Double(fields[0]) else { return nil }
      let numbers = fields[8...11].compactMap { Double($0) }
      guard numbers.count == 4 else { return nil }
      name = Array(fields[..<4])
      // A thousand a microsecond.
      let scale = 1000 / (size * 256)
      list = numbers[0] * scale
      build = numbers[1] * scale
      block = numbers[2] * scale
      move = numbers[3] * scale
    }
  }

  public let rows: [Row]

  public init(_ run: GuestRun) { rows = run.lines.compactMap { Row($0) } }

  public var text: String {
    var table = TextTable(["MiB", "granule", "system", "layout", "list", "build", "block", "move"])
    for row in rows {
      table.add(row.name + [row.list, row.build, row.block, row.move].map { number($0) })
    }
    return table.text
  }

  private func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
