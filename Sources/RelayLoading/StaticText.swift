/// A constant text as its bytes: comparing it with bytes that firmware gave asks Unicode nothing.
public struct StaticText: Sendable, Hashable, Sequence, ExpressibleByStringLiteral {
  public let text: StaticString

  public init(_ text: StaticString) { self.text = text }
  public init(stringLiteral text: StaticString) { self.text = text }

  public func makeIterator() -> Iterator { Iterator(text: text) }

  public struct Iterator: IteratorProtocol {
    let text: StaticString
    var index = 0

    public mutating func next() -> UInt8? {
      guard index < text.utf8CodeUnitCount else { return nil }
      index += 1
      // Sound: a static string's UTF-8 has so many bytes and lives for ever.
      return unsafe text.utf8Start[index - 1]
    }
  }

  public static func == (a: StaticText, b: StaticText) -> Bool { a.elementsEqual(b) }

  public func hash(into hasher: inout Hasher) {
    for byte in self { hasher.combine(byte) }
  }
}

extension [UInt8] {
  func isText(_ text: StaticText) -> Bool { elementsEqual(text) }
}
