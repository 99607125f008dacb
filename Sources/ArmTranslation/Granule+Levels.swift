import PhysicalMemory

/// How a granule divides a virtual address into table indices (Arm ARM D8.2, "Translation
/// process"): every level resolves as many bits as a table of one page has entries for, level 3
/// those just above the page.
extension Granule {
  /// The last level, whose entries are pages.
  static var lastLevel: Int { 3 }

  /// The number of address bits that one level resolves: 9, 11 or 13.
  var bitsPerLevel: Int { shift - 3 }

  /// The number of 64-bit descriptors in a table of one page.
  var entriesPerTable: Int { 1 << bitsPerLevel }

  /// log2 of the bytes that one entry of a table at `level` (−1 to 3) covers.
  func entryShift(atLevel level: Int) -> Int {
    shift + (Self.lastLevel - level) * bitsPerLevel
  }

  /// The sizes of the blocks that tables of this granule may map, in bytes, the largest first.
  public func blocks(_ format: AddressFormat = .bits48) -> [UInt64] {
    let geometry = TranslationGeometry(granule: self, format: format, end: 0)
    var sizes: [UInt64] = []
    for level in 0..<Self.lastLevel where geometry.allowsLeaf(atLevel: level) {
      sizes.append(1 << UInt64(entryShift(atLevel: level)))
    }
    return sizes
  }

  /// The smallest of them: 2 MiB, 32 MiB, 512 MiB.
  public var smallestBlock: UInt64 { 1 << UInt64(entryShift(atLevel: Self.lastLevel - 1)) }

  /// Whether an entry at `level` may map memory in the 48-bit format: level 3 always; above it,
  /// blocks of 1 GiB and 2 MiB with 4 KiB pages, 32 MiB with 16 KiB, 512 MiB with 64 KiB.
  func allowsLeaf(atLevel level: Int) -> Bool {
    switch self {
    case .size4K: level >= 1
    case .size16K, .size64K: level >= 2
    }
  }
}
