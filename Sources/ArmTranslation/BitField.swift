/// A field of a 64-bit register or descriptor: bits `high` to `low`, as the Arm ARM writes it.
///
/// The layouts that use it are computed properties, not stored ones: a stored global may need
/// `swift_once`, which bare metal cannot run before its MMU is on.
struct BitField {
  private let low: UInt64
  private let width: UInt64

  init(_ high: UInt64, _ low: UInt64) {
    self.low = low
    self.width = high - low + 1
  }

  init(bit: UInt64) {
    self.init(bit, bit)
  }

  /// `value` in its place.
  ///
  /// - Precondition: `value` fits the field.
  func encoding(_ value: UInt64) -> UInt64 {
    precondition(value & ~mask == 0)
    return value &<< low
  }

  /// `word` with the field replaced by `value`.
  func replacing(in word: UInt64, by value: UInt64) -> UInt64 {
    word & ~(mask &<< low) | encoding(value)
  }

  private var mask: UInt64 { (1 &<< width) &- 1 }
}
