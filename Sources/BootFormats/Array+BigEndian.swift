extension [UInt8] {
  /// Appends the value's bytes, the most significant first.
  mutating func append<Value: FixedWidthInteger>(bigEndian value: Value) {
    var shift = Value.bitWidth
    while shift > 0 {
      shift -= 8
      append(UInt8(truncatingIfNeeded: value >> Value(shift)))
    }
  }

  /// Puts the value's bytes, the most significant first, over those at `position`.
  mutating func replace(bigEndian value: UInt32, at position: Int) {
    for index in 0..<4 {
      self[position + index] = UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * index))
    }
  }

  /// Appends zeros up to a multiple of `alignment` bytes.
  mutating func pad(toMultipleOf alignment: Int) {
    while count % alignment != 0 { append(0) }
  }
}
