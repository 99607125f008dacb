import PhysicalMemory

/// The oracle: 256 bytes of memory, one flag each.
struct ByteMap {
  static let count = 256

  let base: UInt64
  var flags = [Bool](repeating: false, count: count)

  /// The whole of it.
  var bounds: PhysicalRange {
    PhysicalRange(PhysicalAddress(base), upTo: PhysicalAddress(base + UInt64(Self.count)))
  }

  func contains(_ address: UInt64) -> Bool {
    guard address >= base, address - base < UInt64(Self.count) else { return false }
    return flags[Int(address - base)]
  }

  func contains(_ range: PhysicalRange) -> Bool {
    bytes(of: range).allSatisfy(contains)
  }

  func bytes(of range: PhysicalRange) -> Range<UInt64> {
    range.start.rawValue..<range.end.rawValue
  }

  mutating func set(_ range: PhysicalRange, to flag: Bool) {
    for byte in bytes(of: range) { flags[Int(byte - base)] = flag }
  }

  func combined(with other: ByteMap, _ combine: (Bool, Bool) -> Bool) -> ByteMap {
    var result = self
    for index in flags.indices { result.flags[index] = combine(flags[index], other.flags[index]) }
    return result
  }

  /// The maximal runs of set flags.
  var runs: [PhysicalRange] {
    var runs: [PhysicalRange] = []
    var start: Int?
    for index in 0...Self.count {
      let isSet = index < Self.count && flags[index]
      if isSet, start == nil { start = index }
      if !isSet, let first = start {
        runs.append(
          PhysicalRange(
            PhysicalAddress(base + UInt64(first)), upTo: PhysicalAddress(base + UInt64(index))))
        start = nil
      }
    }
    return runs
  }

  /// Every aligned place inside `bounds` where `size` bytes lie in the map, in ascending order;
  /// for no bytes at all: in a run or at its end.
  func fits(size: UInt64, alignment: UInt64, within bounds: PhysicalRange) -> [PhysicalRange] {
    var inside = self
    for index in flags.indices where !bounds.contains(PhysicalAddress(base + UInt64(index))) {
      inside.flags[index] = false
    }
    let runs = inside.runs
    var fits: [PhysicalRange] = []
    for start in base...(base + UInt64(Self.count)) where start % alignment == 0 {
      guard let range = PhysicalRange(start: PhysicalAddress(start), size: size) else { continue }
      if runs.contains(where: { $0.start <= range.start && range.end <= $0.end }) {
        fits.append(range)
      }
    }
    return fits
  }
}
