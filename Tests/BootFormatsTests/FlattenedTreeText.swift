/// Writes a flattened tree token by token (Devicetree Specification v0.4, 5), whatever sense it makes, and
/// in a time linear in its size.
struct FlattenedTreeText {
  private var structure: [UInt8] = []
  private var strings: [UInt8] = []
  private var offsets: [String: Int] = [:]

  mutating func begin(_ name: String) {
    add(1)
    add(Array(name.utf8) + [0])
  }

  mutating func end() { add(2) }

  mutating func property(_ name: String, _ cells: [UInt32]) {
    property(name, cells.flatMap(Self.bytes))
  }

  mutating func property(_ name: String, text: String) {
    property(name, Array(text.utf8) + [0])
  }

  private mutating func property(_ name: String, _ value: [UInt8]) {
    let offset: Int
    if let known = offsets[name] {
      offset = known
    } else {
      offset = strings.count
      offsets[name] = offset
      strings += Array(name.utf8) + [0]
    }
    add(3)
    add(UInt32(value.count))
    add(UInt32(offset))
    add(value)
  }

  /// The whole blob.
  var bytes: [UInt8] {
    let structure = structure + Self.bytes(9)
    let header = 40
    let reservations = 16
    let start = header + reservations
    let end = start + structure.count + strings.count
    let fields = [
      0xd00d_feed, end, start, start + structure.count, header, 17, 16, 0, strings.count,
      structure.count,
    ]
    return fields.flatMap { Self.bytes(UInt32($0)) } + [UInt8](repeating: 0, count: reservations)
      + structure + strings
  }

  private mutating func add(_ cell: UInt32) { structure += Self.bytes(cell) }

  private mutating func add(_ bytes: [UInt8]) {
    structure += bytes + [UInt8](repeating: 0, count: -bytes.count & 3)
  }

  private static func bytes(_ cell: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: cell >> (24 - 8 * $0)) }
  }
}
