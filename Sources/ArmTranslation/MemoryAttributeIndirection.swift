/// The memory types that descriptors name by index, and the MAIR_ELx value that gives the indices
/// their meaning (Arm ARM D24.2, "MAIR_EL1, Memory Attribute Indirection Register"). The encoding
/// is the same in every regime.
enum MemoryAttributeIndirection: UInt64 {
  /// Attr0.
  case normalWriteBack = 0
  /// Attr1.
  case deviceNGnRE = 1

  /// The attribute's byte in MAIR_ELx.
  private var encoding: UInt64 {
    switch self {
    // Inner and outer write-back, non-transient, read-allocate, write-allocate.
    case .normalWriteBack: 0xFF
    case .deviceNGnRE: 0x04
    }
  }

  /// MAIR_ELx. The six unused attributes are 0: Device-nGnRnE, the strictest.
  static var registerValue: UInt64 {
    normalWriteBack.encoding << (8 * normalWriteBack.rawValue)
      | deviceNGnRE.encoding << (8 * deviceNGnRE.rawValue)
  }
}
