/// A table for a terminal: the first column flush left, the others flush right.
public struct TextTable: Sendable {
  private var rows: [[String]]

  public init(_ header: [String]) {
    rows = [header]
  }

  public mutating func add(_ row: [String]) { rows.append(row) }

  /// The table with a rule below its header; each line ends with a newline.
  public var text: String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    var lines = rows.map { row in
      row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + padding : padding + cell
      }.joined(separator: "  ")
    }
    lines.insert(widths.map { String(repeating: "─", count: $0) }.joined(separator: "  "), at: 1)
    return lines.map { line in
      String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
    }.joined()
  }

  /// 27236288 as "27,236,288".
  public static func grouped(_ number: UInt64) -> String {
    var result = ""
    for (index, digit) in String(number).reversed().enumerated() {
      if index > 0, index % 3 == 0 { result.append(",") }
      result.append(digit)
    }
    return String(result.reversed())
  }

  /// 37368775 as "37.369 M": millions, to the thousand.
  public static func millions(_ number: UInt64) -> String {
    let thousands = (number + 500) / 1000
    let fraction = String(thousands % 1000)
    return grouped(thousands / 1000) + "." + String(repeating: "0", count: 3 - fraction.count)
      + fraction + " M"
  }
}
