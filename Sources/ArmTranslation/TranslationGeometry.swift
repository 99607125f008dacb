import PhysicalMemory

/// The size of the virtual address range that a set of tables translates, and where its walk
/// starts.
struct TranslationGeometry: Hashable, Sendable {
  /// Input and output addresses have at most 48 bits; more needs FEAT_LPA, FEAT_LVA or FEAT_LPA2.
  static var maximumBits: Int { 48 }

  /// Fewer input bits than 25 (T0SZ above 39) need FEAT_TTST.
  static var minimumBits: Int { 25 }

  let granule: Granule
  /// The number of bits of the input address: 64 − T0SZ.
  let inputBits: Int

  /// The smallest input range that holds every address below `end`, which is at most 2^48.
  init(granule: Granule, end: UInt64) {
    self.granule = granule
    let needed = end == 0 ? 0 : UInt64.bitWidth - (end - 1).leadingZeroBitCount
    self.inputBits = max(Self.minimumBits, needed)
  }

  /// TCR_ELx.T0SZ.
  var t0sz: UInt64 { UInt64(64 - inputBits) }

  /// The level of the root table: as many levels as it takes to resolve every input bit above
  /// the page.
  var startLevel: Int {
    let bits = inputBits - granule.shift
    return 4 - (bits + granule.bitsPerLevel - 1) / granule.bitsPerLevel
  }
}
