extension [UInt8] {
  /// Appends the value's bytes, the most significant first.
  mutating func append<Value: FixedWidthInteger>(bigEndian value: Value) {
    var shift = Value.bitWidth
    while shift > 0 {
      shift -= 8
      append(UInt8(truncatingIfNeeded: value >> Value(shift)))
    }
  }

  /// Appends zeros up to a multiple of `alignment` bytes.
  mutating func pad(toMultipleOf alignment: Int) {
    while count % alignment != 0 { append(0) }
  }
}
