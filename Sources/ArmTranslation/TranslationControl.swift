import PhysicalMemory

/// The values of the registers that tell the MMU how to walk a set of tables (Arm ARM D24.2,
/// TCR_EL1, TCR_EL2 and MAIR_ELx).
public struct TranslationControl: Hashable, Sendable {
  public let regime: TranslationRegime
  public let granule: Granule
  /// TCR_ELx.T0SZ: 64 minus the number of bits of the virtual addresses that are translated.
  public let t0sz: UInt64

  init(regime: TranslationRegime, geometry: TranslationGeometry) {
    self.regime = regime
    self.granule = geometry.granule
    self.t0sz = geometry.t0sz
  }

  /// MAIR_ELx.
  public var mair: UInt64 { MemoryAttributeIndirection.registerValue }

  /// TCR_ELx in the regime's layout, but for the physical address size (IPS or PS), which is 0:
  /// only the machine that will use the tables knows it, and `TranslationRegime.tcr(_:mmfr0:)`
  /// fills it in there.
  public var tcr: UInt64 {
    var word = TCR.t0sz.encoding(t0sz)
    // Walks read the tables as the caches hold them: inner shareable, write-back.
    word |= TCR.irgn0.encoding(TCR.writeBackWriteAllocate)
    word |= TCR.orgn0.encoding(TCR.writeBackWriteAllocate)
    word |= TCR.sh0.encoding(Shareability.innerShareable.rawValue)
    word |= TCR.tg0.encoding(granule.tg0)
    switch regime {
    case .el1, .el2Host:
      // TTBR1 is never walked. T1SZ and TG1 get valid values all the same: 0 is out of range for
      // the one and reserved for the other.
      word |= TCR.epd1.encoding(1)
      word |= TCR.t1sz.encoding(t0sz)
      word |= TCR.tg1.encoding(granule.tg1)
    case .el2:
      word |= TCR.el2RES1
    }
    return word
  }
}
