extension DeviceTree {
  /// A property: a name and bytes.
  public struct Property: Sendable, Hashable {
    /// The name's bytes, without a terminator.
    public var name: [UInt8]
    public var value: PropertyValue
  }

  /// A property's bytes, and what they can be read as (Devicetree Specification v0.4, 2.2.4).
  public struct PropertyValue: Sendable, Hashable {
    public var bytes: [UInt8]

    public init(bytes: [UInt8]) {
      self.bytes = bytes
    }

    /// A `<u32>`.
    public init(_ cell: UInt32) {
      bytes = []
      bytes.append(bigEndian: cell)
    }

    /// A `<u64>`: two cells, the higher first.
    public init(_ number: UInt64) {
      bytes = []
      bytes.append(bigEndian: number)
    }

    /// A `<string>`: `text` and its terminator.
    public init(_ text: String) {
      bytes = [UInt8](text.utf8)
      bytes.append(0)
    }

    /// Appends a cell.
    public mutating func append(_ cell: UInt32) {
      bytes.append(bigEndian: cell)
    }

    /// Appends `number` as `cellCount` cells, 1 or 2.
    ///
    /// - Precondition: one cell can hold the number where there is but one.
    public mutating func append(_ number: UInt64, cellCount: Int) {
      precondition(cellCount == 2 || cellCount == 1 && number >> 32 == 0)
      if cellCount == 2 { append(UInt32(truncatingIfNeeded: number >> 32)) }
      append(UInt32(truncatingIfNeeded: number))
    }
  }
}

extension DeviceTree.PropertyValue {
  /// The number of whole cells.
  var cellCount: Int { bytes.count / 4 }

  /// The cell of that index, which is below `cellCount`.
  func cell(_ index: Int) -> UInt32 {
    var value: UInt32 = 0
    for byte in bytes[4 * index..<4 * index + 4] { value = value << 8 | UInt32(byte) }
    return value
  }

  /// The cells, or nil where the bytes are not a whole number of them.
  public var cells: [UInt32]? {
    guard bytes.count % 4 == 0 else { return nil }
    return (0..<cellCount).map { cell($0) }
  }

  /// The `<u32>`, or nil where it is not one.
  public var u32: UInt32? {
    bytes.count == 4 ? cell(0) : nil
  }

  /// The `<u64>`, or nil where it is not one.
  public var u64: UInt64? {
    bytes.count == 8 ? UInt64(cell(0)) << 32 | UInt64(cell(1)) : nil
  }

  /// A number of one or two cells, for properties that have either.
  public var unsigned: UInt64? {
    u64 ?? u32.map { UInt64($0) }
  }

  /// The `<stringlist>`, or nil where a string is not terminated or not UTF-8.
  public var strings: [String]? {
    var result: [String] = []
    for part in terminatedParts ?? [] {
      guard let text = String(validating: part, as: UTF8.self) else { return nil }
      result.append(text)
    }
    return result.isEmpty ? nil : result
  }

  /// The `<string>`, or nil where it is not exactly one.
  public var string: String? {
    guard let strings, strings.count == 1 else { return nil }
    return strings[0]
  }

  /// Whether the value is a string list that has `text` in it.
  public func contains(_ text: String) -> Bool {
    for part in terminatedParts ?? [] where part.elementsEqual(text.utf8) { return true }
    return false
  }

  /// The strings of a string list, or nil where the last one is not terminated.
  private var terminatedParts: [ArraySlice<UInt8>]? {
    guard bytes.last == 0 else { return nil }
    return bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false)
  }
}
