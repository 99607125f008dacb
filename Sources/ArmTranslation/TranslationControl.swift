import PhysicalMemory

/// The values of the registers that tell the MMU how to walk one or two sets of tables (Arm ARM
/// D24.2, TCR_EL1, TCR_EL2 and MAIR_ELx).
public struct TranslationControl: Hashable, Sendable {
  public let regime: TranslationRegime
  public let granule: Granule
  public let format: AddressFormat
  private let lower: TranslationGeometry?
  private let upper: TranslationGeometry?

  /// - Precondition: there is one of them at least, and both are of one granule and format.
  init(
    regime: TranslationRegime, lower: TranslationGeometry? = nil, upper: TranslationGeometry? = nil
  ) {
    guard let any = lower ?? upper else { preconditionFailure() }
    precondition(upper == nil || (any.granule == upper?.granule && any.format == upper?.format))
    self.regime = regime
    self.granule = any.granule
    self.format = any.format
    self.lower = lower
    self.upper = upper
  }

  /// TCR_ELx.T0SZ: 64 minus the number of bits of the virtual addresses that are translated. Where
  /// nothing is, it has a valid value all the same: 0 is out of range.
  public var t0sz: UInt64 { lower?.size ?? t1sz }

  /// TCR_ELx.T1SZ, likewise.
  public var t1sz: UInt64 { upper?.size ?? lower?.size ?? 0 }

  /// MAIR_ELx.
  public var mair: UInt64 { MemoryAttributeIndirection.registerValue }

  /// TCR_ELx in the regime's layout, but for the physical address size (IPS or PS), which is 0:
  /// only the machine that will use the tables knows it, and `TranslationRegime.tcr(_:mmfr0:)`
  /// fills it in there.
  public var tcr: UInt64 {
    let usesDS: UInt64 = format.usesDS(granule) ? 1 : 0
    var word = TCR.t0sz.encoding(t0sz) | TCR.tg0.encoding(granule.tg0)
    // Walks read the tables as the caches hold them: inner shareable, write-back.
    word |= TCR.irgn0.encoding(TCR.writeBackWriteAllocate)
    word |= TCR.orgn0.encoding(TCR.writeBackWriteAllocate)
    word |= TCR.sh0.encoding(Shareability.innerShareable.rawValue)
    switch regime {
    case .el1, .el2Host:
      word |= TCR.epd0.encoding(lower == nil ? 1 : 0)
      word |= TCR.epd1.encoding(upper == nil ? 1 : 0)
      word |= TCR.t1sz.encoding(t1sz) | TCR.tg1.encoding(granule.tg1)
      word |= TCR.ds.encoding(usesDS)
      if upper != nil {
        word |= TCR.irgn1.encoding(TCR.writeBackWriteAllocate)
        word |= TCR.orgn1.encoding(TCR.writeBackWriteAllocate)
        word |= TCR.sh1.encoding(Shareability.innerShareable.rawValue)
      }
    case .el2:
      word |= TCR.el2RES1 | TCR.el2DS.encoding(usesDS)
    }
    return word
  }
}
