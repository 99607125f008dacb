import PhysicalMemory
import Testing

struct PhysicalAddressTests {
  @Test func alignsToTheNearestMultipleOnEitherSide() {
    for value: UInt64 in 0..<200 {
      for alignment: UInt64 in [1, 2, 4, 64] {
        let address = PhysicalAddress(value)
        let down = value - value % alignment
        #expect(address.alignedDown(to: alignment).rawValue == down)
        #expect(
          address.alignedUp(to: alignment)?.rawValue == (down == value ? value : down + alignment))
        #expect(address.isAligned(to: alignment) == (down == value))
      }
    }
  }

  @Test func hasNoMultipleAboveTheLastOne() {
    let last = PhysicalAddress(0xFFFF_FFFF_FFFF_F000)
    #expect(last.alignedUp(to: 4096) == last)
    #expect((last + 1).alignedUp(to: 4096) == nil)
    #expect(last.advanced(bySize: 0xFFF)?.rawValue == .max)
    #expect(last.advanced(bySize: 0x1000) == nil)
  }

  @Test func granulesAreNamedByTheirPageSize() {
    #expect(Granule.allCases.map(\.pageSize) == [4096, 16384, 65536])
    for granule in Granule.allCases {
      #expect(Granule(pageSize: granule.pageSize) == granule)
      #expect(Granule(pageSize: granule.pageSize * 2) == nil)
    }
  }
}
