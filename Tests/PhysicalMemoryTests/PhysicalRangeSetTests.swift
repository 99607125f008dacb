import PhysicalMemory
import TestSupport
import Testing

/// Range sets against a flag for every byte, at the bottom, in the middle and at the very top of
/// the address space.
struct PhysicalRangeSetTests {
  static let bases: [UInt64] = [0, 0x4000_0000, UInt64.max - UInt64(ByteMap.count)]

  /// A set and its oracle after the same random insertions and subtractions.
  struct Pair {
    var set = PhysicalRangeSet()
    var map: ByteMap

    init(base: UInt64, using generator: inout SeededGenerator) {
      map = ByteMap(base: base)
      for _ in 0..<Int.random(in: 0...24, using: &generator) {
        let range = randomRange(base: base, using: &generator)
        if Int.random(in: 0..<3, using: &generator) > 0 {
          set.insert(range)
          map.set(range, to: true)
        } else {
          set.subtract(range)
          map.set(range, to: false)
        }
      }
    }
  }

  static func randomRange(base: UInt64, using generator: inout SeededGenerator) -> PhysicalRange {
    let count = UInt64(ByteMap.count)
    let start = UInt64.random(in: 0...count, using: &generator)
    // Mostly short, so that many ranges remain apart.
    let limit = Bool.random(using: &generator) ? min(count, start + 16) : count
    let end = UInt64.random(in: start...limit, using: &generator)
    return PhysicalRange(PhysicalAddress(base + start), upTo: PhysicalAddress(base + end))
  }

  @Test(arguments: bases) func holdsExactlyTheBytesThatWereInsertedAndNotSubtracted(base: UInt64) {
    for seed in UInt64(0)..<300 {
      var generator = SeededGenerator(seed: seed)
      let pair = Pair(base: base, using: &generator)
      #expect(pair.set.ranges == pair.map.runs, "seed \(seed)")
      #expect(pair.set.size == UInt64(pair.map.flags.count { $0 }), "seed \(seed)")
      #expect(pair.set.isEmpty == !pair.map.flags.contains(true), "seed \(seed)")
    }
  }

  @Test(arguments: bases) func isEqualWhateverTheOrderAndThePieces(base: UInt64) {
    for seed in UInt64(0)..<200 {
      var generator = SeededGenerator(seed: seed)
      let pair = Pair(base: base, using: &generator)
      var pieces: [PhysicalRange] = []
      for range in pair.set.ranges {
        let middle = PhysicalAddress(
          UInt64.random(in: range.start.rawValue...range.end.rawValue, using: &generator))
        pieces.append(PhysicalRange(range.start, upTo: middle))
        pieces.append(PhysicalRange(middle, upTo: range.end))
      }
      #expect(PhysicalRangeSet(pieces.shuffled(using: &generator)) == pair.set, "seed \(seed)")
    }
  }

  @Test(arguments: bases) func combinesByteByByte(base: UInt64) {
    for seed in UInt64(0)..<200 {
      var generator = SeededGenerator(seed: seed)
      let a = Pair(base: base, using: &generator)
      let b = Pair(base: base, using: &generator)
      var union = a.set
      union.formUnion(b.set)
      #expect(union.ranges == a.map.combined(with: b.map) { $0 || $1 }.runs, "seed \(seed)")
      #expect(
        a.set.subtracting(b.set).ranges == a.map.combined(with: b.map) { $0 && !$1 }.runs,
        "seed \(seed)")
      #expect(
        a.set.intersection(b.set).ranges == a.map.combined(with: b.map) { $0 && $1 }.runs,
        "seed \(seed)")
      let bounds = Self.randomRange(base: base, using: &generator)
      var only = ByteMap(base: base)
      only.set(bounds, to: true)
      #expect(
        a.set.intersection(bounds).ranges == a.map.combined(with: only) { $0 && $1 }.runs,
        "seed \(seed)")
    }
  }

  @Test(arguments: bases) func answersForAddressesAndRanges(base: UInt64) {
    for seed in UInt64(0)..<100 {
      var generator = SeededGenerator(seed: seed)
      let pair = Pair(base: base, using: &generator)
      let runs = pair.map.runs
      for byte in pair.map.bytes(of: pair.map.bounds) {
        let address = PhysicalAddress(byte)
        #expect(pair.set.contains(address) == pair.map.contains(byte), "seed \(seed), \(byte)")
        #expect(
          pair.set.range(containing: address) == runs.first { $0.contains(address) },
          "seed \(seed), \(byte)")
      }
      for _ in 0..<30 {
        let range = Self.randomRange(base: base, using: &generator)
        #expect(pair.set.contains(range) == pair.map.contains(range), "seed \(seed), \(range)")
        #expect(
          pair.set.overlaps(range) == pair.map.bytes(of: range).contains(where: pair.map.contains),
          "seed \(seed), \(range)")
      }
    }
  }

  @Test(arguments: bases) func keepsWholeAlignedUnitsOnly(base: UInt64) {
    for seed in UInt64(0)..<150 {
      var generator = SeededGenerator(seed: seed)
      let pair = Pair(base: base, using: &generator)
      for alignment: UInt64 in [1, 2, 8, 32] {
        var whole = ByteMap(base: base)
        for byte in whole.bytes(of: whole.bounds) where byte % alignment == 0 {
          guard let unit = PhysicalRange(start: PhysicalAddress(byte), size: alignment) else {
            continue
          }
          if pair.map.contains(unit) { whole.set(unit, to: true) }
        }
        #expect(
          pair.set.alignedInward(to: alignment).ranges == whole.runs,
          "seed \(seed), alignment \(alignment)")
      }
    }
  }

  @Test(arguments: bases) func findsTheLowestAndTheHighestFit(base: UInt64) {
    for seed in UInt64(0)..<150 {
      var generator = SeededGenerator(seed: seed)
      let pair = Pair(base: base, using: &generator)
      for alignment: UInt64 in [1, 4, 16] {
        for size: UInt64 in [0, 1, 3, 16, 40, .max] {
          let bounds =
            Bool.random(using: &generator)
            ? pair.map.bounds : Self.randomRange(base: base, using: &generator)
          let fits = pair.map.fits(size: size, alignment: alignment, within: bounds)
          #expect(
            pair.set.lowestFit(size: size, alignment: alignment, within: bounds) == fits.first,
            "seed \(seed), size \(size), alignment \(alignment), \(bounds)")
          #expect(
            pair.set.highestFit(size: size, alignment: alignment, within: bounds) == fits.last,
            "seed \(seed), size \(size), alignment \(alignment), \(bounds)")
        }
      }
    }
  }
}
