import PhysicalMemory

/// The size of the virtual address range that a set of tables translates, where its walk starts,
/// and what its entries may be.
struct TranslationGeometry: Hashable, Sendable {
  /// Fewer input bits than 25 (T0SZ above 39) need FEAT_TTST.
  static var minimumBits: Int { 25 }

  let granule: Granule
  let format: AddressFormat
  /// The number of bits of the input address: 64 − TxSZ.
  let inputBits: Int

  /// The smallest input range from 0 up that holds every address below `end`, which is at most
  /// 2^`format.bits`.
  init(granule: Granule, format: AddressFormat = .bits48, end: UInt64) {
    self.init(granule: granule, format: format, largest: end == 0 ? 0 : end - 1)
  }

  /// The smallest input range up to 2^64 that holds every address from `start` on.
  init(granule: Granule, format: AddressFormat, start: UInt64) {
    self.init(granule: granule, format: format, largest: ~start)
  }

  private init(granule: Granule, format: AddressFormat, largest: UInt64) {
    self.granule = granule
    self.format = format
    self.inputBits = max(Self.minimumBits, UInt64.bitWidth - largest.leadingZeroBitCount)
  }

  /// TCR_ELx.T0SZ or T1SZ.
  var size: UInt64 { UInt64(64 - inputBits) }

  /// The level of the root table, −1 to 2: as many levels as it takes to resolve every input bit
  /// above the page.
  var startLevel: Int {
    let bits = inputBits - granule.shift
    return 4 - (bits + granule.bitsPerLevel - 1) / granule.bitsPerLevel
  }

  /// The part of `virtual` that is translated.
  func input(_ virtual: VirtualAddress) -> UInt64 {
    virtual.rawValue & ((1 << UInt64(inputBits)) - 1)
  }

  /// Whether an entry at `level` may map memory: level 3 always; above it, blocks of 1 GiB and
  /// 2 MiB with 4 KiB pages, 32 MiB with 16 KiB, 512 MiB with 64 KiB; in the 52-bit format also
  /// those of the level above: 512 GiB, 64 GiB, 4 TiB.
  func allowsLeaf(atLevel level: Int) -> Bool {
    granule.allowsLeaf(atLevel: format == .bits52 ? level + 1 : level)
  }
}
