import ArmTranslation
import PhysicalMemory
import Testing

struct MappingErrorTests {
  private func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
    PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
  }

  private func tables(_ mappings: [Mapping]) throws -> TranslationTables<Building> {
    var tables = TranslationTables(regime: .el1, granule: .size4K)
    for mapping in mappings { try tables.map(mapping) }
    return tables
  }

  @Test func anUnalignedMappingIsRefused() throws {
    for mapping in [
      Mapping(range(0x800, 0x2000), as: .data),
      Mapping(range(0x1000, 0x1800), as: .data),
      Mapping(range(0x1000, 0x2000), at: VirtualAddress(0x1008), as: .data),
    ] {
      #expect(throws: MappingError.unaligned(mapping, pageSize: 0x1000)) {
        try tables([mapping])
      }
    }
  }

  @Test func anAddressOfMoreThanFortyEightBitsIsRefused() throws {
    let top: UInt64 = 1 << 48
    let highest = Mapping(range(top - 0x1000, top), as: .data)
    #expect(try tables([highest]).pageCount == 4)
    let physical = Mapping(range(top - 0x1000, top + 0x1000), at: VirtualAddress(0), as: .data)
    #expect(throws: MappingError.beyondPhysicalAddressSize(physical, bits: 48)) {
      try tables([physical])
    }
    for start in [top - 0x1000, top, UInt64.max - 0xFFF] {
      let virtual = Mapping(range(0x1000, 0x3000), at: VirtualAddress(start), as: .data)
      #expect(throws: MappingError.beyondVirtualAddressSize(virtual, bits: 48)) {
        try tables([virtual])
      }
    }
  }

  @Test func anAddressOfMoreThanFiftyTwoBitsIsRefused() throws {
    let top: UInt64 = 1 << 52
    var tables = TranslationTables(regime: .el1, granule: .size4K, format: .bits52)
    try tables.map(Mapping(range(top - 0x1000, top), as: .data))
    #expect(tables.pageCount == 5)
    let physical = Mapping(range(top - 0x1000, top + 0x1000), at: VirtualAddress(0), as: .data)
    #expect(throws: MappingError.beyondPhysicalAddressSize(physical, bits: 52)) {
      try tables.map(physical)
    }
  }

  @Test func theUpperRangeReachesFromItsBottomToTheLastPageButOne() throws {
    for format in AddressFormat.allCases {
      let bottom: UInt64 = 0 &- 1 << UInt64(format.bits)
      for start in [bottom - 0x1000, 0x1000, UInt64.max - 0xFFF] {
        var tables = TranslationTables(
          regime: .el2Host, granule: .size4K, format: format, range: .upper)
        let outside = Mapping(range(0x1000, 0x2000), at: VirtualAddress(start), as: .data)
        #expect(throws: MappingError.beyondVirtualAddressSize(outside, bits: format.bits)) {
          try tables.map(outside)
        }
        try tables.map(Mapping(range(0x1000, 0x2000), at: VirtualAddress(bottom), as: .data))
        try tables.map(
          Mapping(range(0x1000, 0x2000), at: VirtualAddress(.max - 0x1FFF), as: .data))
      }
    }
  }

  @Test func noTwoMappingsShareAPage() throws {
    let first = Mapping(range(0x4000, 0x8000), as: .data)
    for (start, end) in [(0x4000, 0x8000), (0x7000, 0x9000), (0x3000, 0x5000), (0x1000, 0xA000)]
      as [(UInt64, UInt64)]
    {
      let second = Mapping(range(start, end), as: .code)
      var tables = try tables([first])
      #expect(throws: MappingError.overlap(second, with: first)) { try tables.map(second) }
      // Refused whole: what it did not share is still free.
      try tables.map(Mapping(range(0x1000, 0x4000), as: .code))
      try tables.map(Mapping(range(0x8000, 0xA000), as: .code))
    }
    // The same physical memory at two virtual addresses is no overlap.
    _ = try tables([first, Mapping(range(0x4000, 0x8000), at: VirtualAddress(0x8000), as: .code)])
  }

  @Test func anEmptyMappingMapsNothing() throws {
    let first = Mapping(range(0x4000, 0x8000), as: .data)
    let empty = Mapping(range(0x5000, 0x5000), as: .code)
    let machine = Machine(regime: .el1, granule: .size4K)
    #expect(try machine.tables(of: [first, empty]).words == machine.tables(of: [first]).words)
  }

  @Test func tableMemoryMustBeAlignedLargeEnoughAndReachable() throws {
    let tables = try tables([Mapping(range(0x4000, 0x8000), as: .data)])
    let unaligned = range(0x800, 0x10_0000)
    #expect(throws: TableMemoryError.unaligned(unaligned, pageSize: 0x1000)) {
      try tables.seal(in: unaligned)
    }
    let short = range(0x1000, 0x2FFF)
    #expect(throws: TableMemoryError.tooSmall(short, pagesNeeded: 2)) {
      try tables.seal(in: short)
    }
    let high = range(1 << 48, 1 << 48 + 0x10_0000)
    #expect(throws: TableMemoryError.beyondPhysicalAddressSize(high, bits: 48)) {
      try tables.seal(in: high)
    }
    // More than enough is fine; only what is needed is taken.
    #expect(try tables.seal(in: range(0x1000, 0x9000)).memory == range(0x1000, 0x3000))
  }
}
