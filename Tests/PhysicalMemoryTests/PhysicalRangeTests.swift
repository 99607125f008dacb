import PhysicalMemory
import TestSupport
import Testing

struct PhysicalRangeTests {
  @Test(arguments: PhysicalRangeSetTests.bases)
  func relatesToAnotherRangeByteByByte(base: UInt64) {
    for seed in UInt64(0)..<500 {
      var generator = SeededGenerator(seed: seed)
      let a = PhysicalRangeSetTests.randomRange(base: base, using: &generator)
      let b = PhysicalRangeSetTests.randomRange(base: base, using: &generator)
      let bytesOfA = Set(a.start.rawValue..<a.end.rawValue)
      let bytesOfB = Set(b.start.rawValue..<b.end.rawValue)
      let common = bytesOfA.intersection(bytesOfB)
      #expect(a.contains(b) == bytesOfB.isSubset(of: bytesOfA), "seed \(seed)")
      #expect(a.overlaps(b) == !common.isEmpty, "seed \(seed)")
      #expect(a.isEmpty == bytesOfA.isEmpty, "seed \(seed)")
      let intersection = a.intersection(b)
      #expect(intersection?.start.rawValue == common.min(), "seed \(seed)")
      #expect(intersection?.size == (common.isEmpty ? nil : UInt64(common.count)), "seed \(seed)")
      #expect(a.contains(b.start) == bytesOfA.contains(b.start.rawValue), "seed \(seed)")
    }
  }

  @Test func alignsOutwardToTheSmallestWholeUnitsAroundIt() {
    for seed in UInt64(0)..<500 {
      var generator = SeededGenerator(seed: seed)
      let range = PhysicalRangeSetTests.randomRange(base: 0x1000, using: &generator)
      for alignment: UInt64 in [1, 2, 16, 64] {
        let units = Set((range.start.rawValue..<range.end.rawValue).map { $0 / alignment })
        let outward = range.alignedOutward(to: alignment)
        #expect(outward?.size == UInt64(units.count) * alignment, "seed \(seed), \(alignment)")
        #expect(
          outward?.start.rawValue == range.start.rawValue / alignment * alignment,
          "seed \(seed), \(alignment)")
      }
    }
  }

  @Test func doesNotReachBeyondSixtyFourBits() {
    let top = PhysicalAddress(UInt64.max)
    #expect(PhysicalRange(start: top, size: 1) == nil)
    #expect(PhysicalRange(start: top, size: 0)?.isEmpty == true)
    #expect(PhysicalRange(start: top, end: PhysicalAddress(0)) == nil)
    #expect(PhysicalRange(PhysicalAddress(0), upTo: top).alignedOutward(to: 2) == nil)
    #expect(
      PhysicalRange(PhysicalAddress(0), upTo: top).alignedInward(to: 4096)?.end
        == PhysicalAddress(0xFFFF_FFFF_FFFF_F000))
  }
}
