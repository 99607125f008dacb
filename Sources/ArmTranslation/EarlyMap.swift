import PhysicalMemory

/// An identity map that is made before there is a heap: the first that a program switches on.
///
/// Four levels of 4 KiB pages, 48 bits of address; the tables are pages of a pool that the caller
/// owns, the root first. What is mapped already stays as it is, so the parts of another kind are
/// mapped first. It allocates nothing and takes no locks.
@safe
public struct EarlyMap {
  private static var entries: Int { Granule.size4K.entriesPerTable }

  private let regime: TranslationRegime
  private let pool: UnsafeMutablePointer<UInt64>
  private let address: PhysicalAddress
  private let pageCount: Int
  /// The pages of the pool that are tables by now.
  private(set) public var usedPages = 1

  /// A map of nothing.
  ///
  /// Sound where `pool` points to `pageCount` writable pages of 4 KiB, aligned to their size, that
  /// lie at `address`.
  public init(
    regime: TranslationRegime, pool: UnsafeMutablePointer<UInt64>, at address: PhysicalAddress,
    pageCount: Int
  ) {
    self.regime = regime
    unsafe self.pool = pool
    self.address = address
    self.pageCount = pageCount
    clear(0)
  }

  private static var geometry: TranslationGeometry {
    TranslationGeometry(granule: .size4K, end: 1 << UInt64(AddressFormat.bits48.bits))
  }

  /// The registers that go with the tables.
  public var control: TranslationControl {
    TranslationControl(regime: regime, lower: Self.geometry)
  }

  /// TTBR0.
  public var root: PhysicalAddress { address }

  /// Maps every page that `range` touches to itself, in blocks of 2 MiB where they fit.
  ///
  /// - Returns: whether there were pages enough for the tables, and address bits.
  public mutating func map(_ range: PhysicalRange, as kind: MemoryKind) -> Bool {
    let granule = Granule.size4K
    guard let pages = range.alignedOutward(to: granule.pageSize),
      pages.end.rawValue >> UInt64(AddressFormat.bits48.bits) == 0
    else { return false }
    let attributes = LeafAttributes(kind, regime: regime, geometry: Self.geometry)
    let blockSize: UInt64 = 1 << UInt64(granule.entryShift(atLevel: 2))
    var next = pages.start
    while next < pages.end {
      guard let level1 = descend(0, to: next, level: 0),
        let table = descend(level1, to: next, level: 1)
      else { return false }
      let position = index(next, level: 2)
      if next.isAligned(to: blockSize), pages.end - next >= blockSize,
        unsafe pool[table * Self.entries + position] == 0
      {
        unsafe pool[table * Self.entries + position] =
          BlockDescriptor(outputAddress: next, geometry: Self.geometry, attributes: attributes)
          .rawValue
        next = next + blockSize
        continue
      }
      // A block that is there covers the page.
      if unsafe pool[table * Self.entries + position] & 0b11 != 0b01 {
        guard let level3 = descend(table, to: next, level: 2) else { return false }
        let entry = level3 * Self.entries + index(next, level: 3)
        if unsafe pool[entry] == 0 {
          unsafe pool[entry] =
            PageDescriptor(outputAddress: next, geometry: Self.geometry, attributes: attributes)
            .rawValue
        }
      }
      next = next + granule.pageSize
    }
    return true
  }

  /// The table below entry `level` of `table` on the way to `target`, made where there is none.
  private mutating func descend(_ table: Int, to target: PhysicalAddress, level: Int) -> Int? {
    let entry = table * Self.entries + index(target, level: level)
    let word = unsafe pool[entry]
    if word != 0 {
      return Int(((word & 0x0000_FFFF_FFFF_F000) - address.rawValue) / Granule.size4K.pageSize)
    }
    guard usedPages < pageCount else { return nil }
    let new = usedPages
    usedPages += 1
    clear(new)
    unsafe pool[entry] =
      TableDescriptor(
        nextLevelTable: address + UInt64(new) * Granule.size4K.pageSize, geometry: Self.geometry
      ).rawValue
    return new
  }

  private func clear(_ table: Int) {
    for index in 0..<Self.entries { unsafe pool[table * Self.entries + index] = 0 }
  }

  private func index(_ target: PhysicalAddress, level: Int) -> Int {
    Int(target.rawValue >> UInt64(Granule.size4K.entryShift(atLevel: level)))
      & (Self.entries - 1)
  }
}
