import ArmTranslation
import PhysicalMemory
import TestSupport
import Testing

struct BlockCoverTests {
  private func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
    PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
  }

  @Test func edgesMoveToTheLargestBoundaryWithinMemory() throws {
    // From 1 GiB + 1 MiB to 2.5 GiB: whole GiB above, but not below.
    let ram = PhysicalRangeSet([range(0x4010_0000, 0xA000_0000)])
    let cover = try ram.blockCover(
      of: PhysicalRangeSet([range(0x4050_1000, 0x4050_1001), range(0x9000_0800, 0x9000_1800)]),
      granule: .size4K)
    #expect(cover.ranges == [range(0x4040_0000, 0x9020_0000)])
  }

  @Test func memoryOutsideIsNeverCovered() throws {
    let ram = PhysicalRangeSet([range(0x1000, 0x5800)])
    for touched in [range(0, 0x1001), range(0x5000, 0x5001), range(0x9000, 0xA000)] {
      #expect(throws: BlockCoverError.outsideMemory(touched)) {
        try ram.blockCover(of: PhysicalRangeSet([touched]), granule: .size4K)
      }
    }
    #expect(
      try ram.blockCover(of: PhysicalRangeSet([range(0x1234, 0x1235)]), granule: .size4K).ranges
        == [range(0x1000, 0x2000)])
  }

  @Test(arguments: Granule.allCases)
  func aCoverHoldsWhatIsTouchedStaysInMemoryAndNeverCostsTables(granule: Granule) throws {
    let page = granule.pageSize
    let blocks = granule == .size4K ? [1 << 21, 1 << 30] : [page * page / 8]
    for seed in UInt64(0)..<60 {
      var generator = SeededGenerator(seed: seed)
      var ram = PhysicalRangeSet()
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let start = UInt64.random(in: 0..<1 << 34, using: &generator) / 4096 * 4096
        let size = UInt64.random(in: 4096..<1 << 32, using: &generator) / 4096 * 4096
        ram.insert(range(start, start + size))
      }
      let whole = ram.alignedInward(to: page)
      var touched = PhysicalRangeSet()
      for _ in 0..<Int.random(in: 1...5, using: &generator) {
        guard let host = whole.ranges.randomElement(using: &generator) else { continue }
        let start = UInt64.random(
          in: host.start.rawValue..<host.end.rawValue, using: &generator)
        let end = min(
          start + UInt64.random(in: 1...page * 3000, using: &generator), host.end.rawValue)
        touched.insert(range(start, end))
      }
      let cover = try ram.blockCover(of: touched, granule: granule)
      for range in touched.ranges { #expect(cover.contains(range), "seed \(seed)") }
      for range in cover.ranges {
        #expect(ram.contains(range), "seed \(seed)")
        #expect(range.alignedInward(to: page) == range, "seed \(seed)")
        // No edge could have moved to a larger boundary.
        for larger in blocks {
          #expect(
            range.start.isAligned(to: larger)
              || !ram.contains(
                PhysicalRange(range.start.alignedDown(to: larger), upTo: range.start)),
            "seed \(seed)")
          guard let end = range.end.alignedUp(to: larger) else { continue }
          #expect(
            range.end == end || !ram.contains(PhysicalRange(range.end, upTo: end)),
            "seed \(seed)")
        }
      }
      var pages = PhysicalRangeSet()
      for range in touched.ranges {
        if let whole = range.alignedOutward(to: page) { pages.insert(whole) }
      }
      var small = TranslationTables(regime: .el1, granule: granule)
      try small.map(cover, as: .data)
      var naive = TranslationTables(regime: .el1, granule: granule)
      try naive.map(pages, as: .data)
      #expect(small.pageCount <= naive.pageCount, "seed \(seed)")
    }
  }
}
