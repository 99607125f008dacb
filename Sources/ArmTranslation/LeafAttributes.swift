/// The attribute fields that block and page descriptors have in common (Arm ARM D8.3.1.2, "Block
/// descriptor and Page descriptor formats": "lower attributes" and "upper attributes", stage 1).
struct LeafAttributes: Hashable, Sendable {
  let rawValue: UInt64

  /// The attributes of `kind` in `regime`, in tables of `geometry`'s granule and format.
  init(_ kind: MemoryKind, regime: TranslationRegime, geometry: TranslationGeometry) {
    let memoryType: MemoryAttributeIndirection
    let shareability: Shareability
    switch kind {
    case .code, .readOnlyData, .data:
      memoryType = .normalWriteBack
      shareability = .innerShareable
    case .device:
      // Device memory is outer shareable whatever the field says: say what is true.
      memoryType = .deviceNGnRE
      shareability = .outerShareable
    }
    let isReadOnly = kind == .code || kind == .readOnlyData
    let isExecutable = kind == .code

    var word = Field.attrIndx.encoding(memoryType.rawValue)
    // With TCR_ELx.DS the bits are the address's, and TCR_ELx.SHn speaks for all Normal memory.
    if !geometry.format.usesDS(geometry.granule) {
      word |= Field.sh.encoding(shareability.rawValue)
    }
    word |= Field.ap2.encoding(isReadOnly ? 1 : 0)
    // Set from the start: nobody would handle an access flag fault.
    word |= Field.af.encoding(1)
    switch regime {
    case .el1, .el2Host:
      // AP[1] = 0: no access from EL0. nG = 0: the entries belong to no address space.
      word |= Field.uxn.encoding(1)
      word |= Field.pxn.encoding(isExecutable ? 0 : 1)
    case .el2:
      // One exception level: AP[1] is RES1, PXN and nG are RES0, and what is UXN elsewhere is XN.
      word |= Field.ap1.encoding(1)
      word |= Field.uxn.encoding(isExecutable ? 0 : 1)
    }
    rawValue = word
  }

  private enum Field {
    static var attrIndx: BitField { BitField(4, 2) }
    /// AP[1]: accessible from EL0.
    static var ap1: BitField { BitField(bit: 6) }
    /// AP[2]: read-only.
    static var ap2: BitField { BitField(bit: 7) }
    static var sh: BitField { BitField(9, 8) }
    static var af: BitField { BitField(bit: 10) }
    static var pxn: BitField { BitField(bit: 53) }
    /// UXN, or XN in a regime with one exception level.
    static var uxn: BitField { BitField(bit: 54) }
  }
}
