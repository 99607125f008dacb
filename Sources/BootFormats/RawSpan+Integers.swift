// Reading untrusted bytes: every access says whether there is anything to read.

extension RawSpan {
  /// The integer stored at `offset` in the CPU's byte order, at any alignment, or nil where it
  /// does not lie wholly inside.
  private func load<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type, at offset: Int
  ) -> Value? {
    let size = MemoryLayout<Value>.size
    guard offset >= 0, byteCount >= size, offset <= byteCount - size else { return nil }
    // Sound: the bytes lie inside the span, and an integer has every bit pattern.
    return unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type)
  }

  func byte(at offset: Int) -> UInt8? {
    load(UInt8.self, at: offset)
  }

  func littleEndian<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type, at offset: Int
  ) -> Value? {
    load(type, at: offset).map { Value(littleEndian: $0) }
  }

  func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type, at offset: Int
  ) -> Value? {
    load(type, at: offset).map { Value(bigEndian: $0) }
  }

  /// Whether `text` stands at `offset`.
  func hasText(_ text: StaticString, at offset: Int) -> Bool {
    for index in 0..<text.utf8CodeUnitCount {
      // Sound: a static string's UTF-8 has `utf8CodeUnitCount` bytes and lives for ever.
      guard unsafe byte(at: offset + index) == text.utf8Start[index] else { return false }
    }
    return true
  }

  /// A copy of `range`, which lies inside.
  func copy(_ range: Range<Int>) -> [UInt8] {
    // Sound: the buffer is copied while the span lends it.
    unsafe extracting(range).withUnsafeBytes { unsafe [UInt8]($0) }
  }
}
