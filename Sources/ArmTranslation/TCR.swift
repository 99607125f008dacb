/// The fields of TCR_EL1, of TCR_EL2 where HCR_EL2.E2H = 1, and of TCR_EL2's own layout; those up
/// to TG0 are the same in both (Arm ARM D24.2).
enum TCR {
  static var t0sz: BitField { BitField(5, 0) }
  static var irgn0: BitField { BitField(9, 8) }
  static var orgn0: BitField { BitField(11, 10) }
  static var sh0: BitField { BitField(13, 12) }
  static var tg0: BitField { BitField(15, 14) }

  // TCR_EL1, and TCR_EL2 with VHE.
  static var epd0: BitField { BitField(bit: 7) }
  static var t1sz: BitField { BitField(21, 16) }
  static var epd1: BitField { BitField(bit: 23) }
  static var irgn1: BitField { BitField(25, 24) }
  static var orgn1: BitField { BitField(27, 26) }
  static var sh1: BitField { BitField(29, 28) }
  static var tg1: BitField { BitField(31, 30) }
  static var ips: BitField { BitField(34, 32) }
  static var ds: BitField { BitField(bit: 59) }

  // TCR_EL2 without VHE.
  static var ps: BitField { BitField(18, 16) }
  static var el2DS: BitField { BitField(bit: 32) }
  static var el2RES1: UInt64 { 1 << 31 | 1 << 23 }

  /// IRGNx, ORGNx: Normal memory, write-back, read-allocate, write-allocate, cacheable.
  static var writeBackWriteAllocate: UInt64 { 0b01 }
}
