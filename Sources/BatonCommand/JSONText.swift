/// Writes JSON (RFC 8259), member by member.
///
/// Numbers that may exceed 2^53, such as addresses, are written as hexadecimal strings: many readers
/// keep numbers as floating point.
struct JSONText {
  private(set) var text = ""
  /// Whether something stands before the next member on its level.
  private var needsComma = false

  /// As strings hold numbers of 64 bits.
  static func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, 16 - digits.utf8.count)) + digits
  }

  /// One object with what `body` adds to it, and a line's end.
  static func object(_ body: (inout JSONText) -> Void) -> String {
    var json = JSONText()
    json.enclose("{", "}") { body(&$0) }
    return json.text + "\n"
  }

  mutating func member(_ key: StaticString, _ value: String?) {
    begin(key)
    if let value { quote(value) } else { text += "null" }
  }

  mutating func member(_ key: StaticString, _ value: UInt64?) {
    begin(key)
    text += value.map { String($0) } ?? "null"
  }

  mutating func member(_ key: StaticString, _ value: Bool?) {
    begin(key)
    text += value.map { $0 ? "true" : "false" } ?? "null"
  }

  mutating func member(_ key: StaticString, _ values: [String]) {
    begin(key)
    enclose("[", "]") { json in
      for value in values {
        json.separate()
        json.quote(value)
      }
    }
  }

  mutating func member(_ key: StaticString, object body: (inout JSONText) -> Void) {
    begin(key)
    enclose("{", "}", body)
  }

  /// An array of objects, `count` of them.
  mutating func member(
    _ key: StaticString, objects count: Int, _ body: (inout JSONText, Int) -> Void
  ) {
    begin(key)
    enclose("[", "]") { json in
      for index in 0..<count {
        json.separate()
        json.enclose("{", "}") { body(&$0, index) }
      }
    }
  }

  private mutating func begin(_ key: StaticString) {
    separate()
    quote(String(key))
    text += ":"
  }

  private mutating func separate() {
    if needsComma { text += "," }
    needsComma = true
  }

  private mutating func enclose(
    _ opening: String, _ closing: String, _ body: (inout JSONText) -> Void
  ) {
    text += opening
    needsComma = false
    body(&self)
    text += closing
    needsComma = true
  }

  /// RFC 8259, 7: quotation mark, reverse solidus and control characters are escaped.
  private mutating func quote(_ string: String) {
    var bytes: [UInt8] = [0x22]
    for byte in string.utf8 {
      switch byte {
      case 0x22, 0x5c: bytes += [0x5c, byte]
      case 0..<0x20, 0x7f:
        let digits = Array("0123456789abcdef".utf8)
        bytes += Array("\\u00".utf8)
        bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(0x22)
    text += String(decoding: bytes, as: UTF8.self)
  }
}
