/// The lines of a text file of the kernel's, as bytes: such files need no Unicode, and the static
/// command carries no tables for it.
struct TextLines: Sequence, IteratorProtocol {
  private let text: [UInt8]
  private var position = 0

  init(_ text: [UInt8]) {
    self.text = text
  }

  mutating func next() -> ArraySlice<UInt8>? {
    guard position < text.count else { return nil }
    let start = position
    while position < text.count, text[position] != UInt8(ascii: "\n") { position += 1 }
    defer { position += 1 }
    return text[start..<position]
  }
}

extension ArraySlice<UInt8> {
  /// The words between spaces.
  var words: [ArraySlice<UInt8>] {
    split(separator: UInt8(ascii: " "), omittingEmptySubsequences: true)
  }

  func equals(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    for (offset, byte) in enumerated() {
      // Sound: the offset is below the string's length.
      guard unsafe text.utf8Start[offset] == byte else { return false }
    }
    return true
  }

  /// The number that these digits are, or nil where one is no digit or the number is too large.
  func number(radix: UInt64) -> UInt64? {
    guard !isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in self {
      let digit: UInt64
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt64(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = UInt64(byte - UInt8(ascii: "a")) + 10
      default: return nil
      }
      guard digit < radix else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = product.addingReportingOverflow(digit)
      guard !overflow, !carry else { return nil }
      value = sum
    }
    return value
  }
}
