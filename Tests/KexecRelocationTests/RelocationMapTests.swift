import ArmTranslation
import PhysicalMemory
import TestSupport
import Testing

@testable import KexecRelocation

/// A way to relocate, on a machine of a kind.
struct RelocationCase: Sendable, CustomTestStringConvertible {
  let system: RelocationSystem
  let regime: TranslationRegime
  let granule: Granule
  let format: AddressFormat

  static let mapped = [RelocationSystem.identity, .linear, .contiguous].flatMap { system in
    TranslationRegime.allCases.flatMap { regime in
      Granule.allCases.flatMap { granule in
        AddressFormat.allCases.map {
          RelocationCase(system: system, regime: regime, granule: granule, format: $0)
        }
      }
    }
  }

  var testDescription: String { "\(system), \(regime), \(granule), \(format)" }
}

/// A machine, an image in it, and control pages.
private struct Scenario {
  let memory: PhysicalRangeSet
  let control: PhysicalRange
  let resident: [Mapping]
  let extents: [Extent]
  let request: RelocationMap.Request

  init(_ machine: RelocationCase, seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let page = machine.granule.pageSize
    // With the large format memory may lie where only that one reaches. EL2's own regime needs a
    // bit for its halves.
    var bits: [UInt64] = [30, 33, 40, 46]
    if machine.format == .bits52 { bits += [49, machine.regime == .el2 ? 50 : 51] }
    let bit = bits[Int.random(in: 0..<bits.count, using: &generator)]
    let start = PhysicalAddress(1 << bit)
    let size = UInt64.random(in: 1...6, using: &generator) << 29
    var memory = PhysicalRangeSet([PhysicalRange(start, upTo: start + size)])
    // Holes of firmware, and an edge that no block fits.
    for _ in 0..<Int.random(in: 0...3, using: &generator) {
      let hole = start + UInt64.random(in: 0..<size / 65536, using: &generator) * 65536
      memory.subtract(PhysicalRange(hole, upTo: hole + 65536))
    }
    if Bool.random(using: &generator) {
      memory.subtract(
        PhysicalRange(start + (size - 3 * 65536), upTo: start + size))
    }
    let whole = memory
    // Control pages: code, a hole, data, a hole, read-only data.
    let control = try #require(
      memory.highestFit(
        size: 16 * 65536, alignment: 2 << 20,
        within: PhysicalRange(start, upTo: start + (size - 4 * 65536))))
    func part(_ number: UInt64, _ pages: UInt64, _ kind: MemoryKind) -> Mapping {
      let from = control.start + number * 65536
      return Mapping(PhysicalRange(from, upTo: from + pages * page), as: kind)
    }
    var resident = [part(0, 1, .code), part(2, 1, .data), part(4, 1, .readOnlyData)]
    resident.append(
      Mapping(
        PhysicalRange(PhysicalAddress(0x900_0000), upTo: PhysicalAddress(0x901_0000)), as: .device))
    memory.subtract(control)

    // Destinations in one half of memory, sources in the other, page by page or in runs.
    let middle = start + size / 2
    var low = memory.intersection(PhysicalRange(start, upTo: middle)).alignedInward(to: page)
    var high = memory.intersection(PhysicalRange(middle, upTo: start + size)).alignedInward(
      to: page)
    if Bool.random(using: &generator) { swap(&low, &high) }
    var extents: [Extent] = []
    var destinations = PhysicalRangeSet()
    var touched = PhysicalRangeSet()
    // A source that holds blocks, among some that do not: in every third image, but for pages whose
    // blocks are half of memory.
    var hasLongRun = seed % 3 == 0 && machine.granule != .size64K
    for _ in 0..<Int.random(in: 1...6, using: &generator) {
      var runs = UInt64.random(in: 1...8, using: &generator)
      guard
        let segment = low.ranges.randomElement(using: &generator),
        segment.size >= 64 * page
      else { continue }
      var target = segment.start
      if Bool.random(using: &generator) { target = target + page }
      while runs > 0 {
        runs -= 1
        var size = UInt64.random(in: 1...4, using: &generator) * page
        if hasLongRun, segment.end - target > 4 * machine.granule.smallestBlock {
          size += 2 * machine.granule.smallestBlock
          hasLongRun = false
        }
        let destination = PhysicalRange(target, upTo: target + size)
        target = destination.end
        destinations.insert(destination)
        if Int.random(in: 0..<5, using: &generator) == 0 {
          extents.append(try #require(Extent(zeros: destination)))
          continue
        }
        guard
          let source = high.lowestFit(
            size: size, alignment: page,
            within: PhysicalRange(start, upTo: start + 1 << 40))
        else {
          extents.append(try #require(Extent(zeros: destination)))
          continue
        }
        high.subtract(source)
        // No two sources are contiguous.
        high.subtract(PhysicalRange(source.end, upTo: source.end + page))
        touched.insert(source)
        extents.append(
          try #require(
            Extent(source: source.start, destination: destination.start, size: size)))
      }
      low.subtract(PhysicalRange(segment.start, upTo: target + 4 * page))
    }
    touched.formUnion(destinations)
    self.memory = whole
    self.control = control
    self.resident = resident
    self.extents = extents
    request = RelocationMap.Request(
      regime: machine.regime, granule: machine.granule, format: machine.format, memory: whole,
      resident: resident, control: control, touched: touched, destinations: destinations)
  }
}

/// All ranges of a map, as the MMU walks them.
private struct Walkers {
  private struct Words: TableMemory {
    let start: PhysicalAddress
    let words: [UInt64]

    func word(at address: PhysicalAddress) -> UInt64? {
      guard address >= start, address - start < UInt64(words.count * 8) else { return nil }
      return words[Int((address - start) / 8)]
    }
  }

  private let lower: TableWalker<Words>
  private let upper: TableWalker<Words>?

  init(_ tables: RelocationMap.Tables, format: AddressFormat) throws {
    let regime = tables.control.regime
    let translation = tables.translation
    let tcr = regime.tcr(translation.tcr, mmfr0: format == .bits48 ? 5 : 6)
    let words = Words(start: tables.memory.start, words: tables.words)
    lower = try TableWalker(
      regime: regime, tcr: tcr, mair: translation.mair, ttbr0: translation.root.baseAddressField,
      memory: words)
    upper = try translation.upperRoot.map {
      try TableWalker(
        regime: regime, tcr: tcr, mair: translation.mair, ttbr1: $0.baseAddressField, memory: words)
    }
  }

  func translate(_ virtual: UInt64) throws -> Translation? {
    do {
      guard virtual >> 63 != 0 else { return try lower.translate(VirtualAddress(virtual)) }
      return try upper?.translate(VirtualAddress(virtual))
    } catch {
      guard case .translation = error else { throw error }
      return nil
    }
  }
}

@Suite("Maps for relocations")
struct RelocationMapTests {
  private func walkers(_ map: RelocationMap, _ scenario: Scenario) throws -> Walkers {
    let pages = map.pageCount
    let size = UInt64(pages) * scenario.request.granule.pageSize
    let tables = try #require(
      try map.seal(
        in: PhysicalRange(
          scenario.control.start + 8 * 65536, upTo: scenario.control.start + 8 * 65536 + size)))
    #expect(UInt64(tables.words.count) * 8 == size)
    return try Walkers(tables, format: scenario.request.format)
  }

  @Test(
    "Through the tables every page goes where it belongs, and nowhere else",
    arguments: RelocationCase.mapped)
  func pages(machine: RelocationCase) throws {
    let page = machine.granule.pageSize
    for seed in UInt64(0)..<12 {
      let scenario = try Scenario(machine, seed: seed)
      let map = try RelocationMap.map(
        machine.system, of: scenario.extents, scenario.request)
      guard case .mapped(let sourceOffset, let destinationOffset) = map.strategy else {
        Issue.record("\(map.strategy)")
        continue
      }
      // Page by page: what is written from where, by physical addresses.
      var expected: [UInt64: UInt64?] = [:]
      for extent in scenario.extents {
        for offset in stride(from: 0, to: extent.size, by: Int(page)) {
          expected.updateValue(
            extent.isZeros ? nil : extent.source.start.rawValue + offset,
            forKey: extent.destination.start.rawValue + offset)
        }
      }
      let walkers = try walkers(map, scenario)
      var found: [UInt64: UInt64?] = [:]
      for extent in map.extents {
        for offset in stride(from: 0, to: extent.size, by: Int(page)) {
          let target = try #require(
            try walkers.translate(
              extent.destination.start.rawValue &+ destinationOffset &+ offset), "seed \(seed)")
          #expect(target.kind == .data, "seed \(seed)")
          var source: UInt64?
          if !extent.isZeros {
            let read = try #require(
              try walkers.translate(extent.source.start.rawValue &+ sourceOffset &+ offset),
              "seed \(seed)")
            #expect(read.kind == .data, "seed \(seed)")
            source = read.physicalAddress.rawValue
          }
          found.updateValue(source, forKey: target.physicalAddress.rawValue)
        }
      }
      #expect(found == expected, "seed \(seed)")
      if machine.system == .contiguous {
        // One copy, cut only by zeros.
        let zeros = map.extents.count { $0.isZeros }
        #expect(map.extents.count <= 2 * zeros + 1, "seed \(seed)")
      }
      // What was moved can be looked at.
      for range in scenario.request.destinations.ranges {
        let seen = try walkers.translate(range.start.rawValue &+ map.destinationOffset)
        #expect(seen?.physicalAddress == range.start, "seed \(seed)")
      }
    }
  }

  @Test(
    "What runs is mapped to itself as what it is, and in no other way; holes stay holes",
    arguments: RelocationCase.mapped)
  func resident(machine: RelocationCase) throws {
    let page = machine.granule.pageSize
    for seed in UInt64(0)..<12 {
      let scenario = try Scenario(machine, seed: seed)
      let map = try RelocationMap.map(machine.system, of: scenario.extents, scenario.request)
      let walkers = try walkers(map, scenario)
      for part in scenario.resident {
        for offset in stride(from: 0, to: part.physical.size, by: Int(page)) {
          let address = part.physical.start + offset
          let found = try walkers.translate(address.rawValue)
          #expect(found?.physicalAddress == address && found?.kind == part.kind, "seed \(seed)")
        }
      }
      let offset = map.destinationOffset
      for number in 0..<scenario.control.size / page {
        let address = scenario.control.start + number * page
        let isResident = scenario.resident.contains { $0.physical.contains(address) }
        if !isResident { #expect(try walkers.translate(address.rawValue) == nil, "seed \(seed)") }
        if machine.system == .linear {
          #expect(try walkers.translate(address.rawValue &+ offset) == nil, "seed \(seed)")
        }
      }
      // Between two ranges of memory, below the first and above the last.
      let ranges = scenario.memory.ranges
      var holes = [ranges[0].start.rawValue - 1, ranges[ranges.count - 1].end.rawValue]
      for (a, b) in zip(ranges, ranges.dropFirst()) {
        holes += [a.end.rawValue, b.start.rawValue - 1, (a.end.rawValue + b.start.rawValue) / 2]
      }
      for hole in holes {
        #expect(try walkers.translate(hole) == nil, "seed \(seed)")
        // A partly covered page belongs to the hole.
        if machine.system == .linear {
          #expect(try walkers.translate(hole &+ offset) == nil, "seed \(seed)")
        }
      }
    }
  }

  /// Memory from `start` on, an image and control pages in it.
  private func linear(
    _ regime: TranslationRegime, start: UInt64, size: UInt64, console: Bool = false
  ) throws -> RelocationMap {
    let ram = PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(start + size))
    let control = PhysicalRange(
      ram.start + 0x3FE0_0000, upTo: ram.start + 0x3FE8_0000)
    func part(_ offset: UInt64, _ kind: MemoryKind) -> Mapping {
      Mapping(
        PhysicalRange(control.start + offset, upTo: control.start + offset + 0x1_0000), as: kind)
    }
    var resident = [
      part(0, .code), part(0x1_0000, .readOnlyData), part(0x2_0000, .data),
      part(0x3_0000, .readOnlyData),
    ]
    if console {
      resident.append(
        Mapping(
          PhysicalRange(PhysicalAddress(0x900_0000), upTo: PhysicalAddress(0x900_1000)), as: .device
        ))
    }
    let destination = PhysicalRange(ram.start + 0x20_0000, upTo: ram.start + 0x1F4_8000)
    let extent = try #require(
      Extent(source: ram.start + 0x800_0000, destination: destination.start, size: destination.size)
    )
    return try RelocationMap.linear(
      [extent],
      RelocationMap.Request(
        regime: regime, granule: .size4K, memory: PhysicalRangeSet([ram]), resident: resident,
        control: control, touched: PhysicalRangeSet([extent.source, extent.destination]),
        destinations: PhysicalRangeSet([destination])))
  }

  @Test(
    "The linear map takes four pages and one for each 512 GiB; the console two more",
    arguments: TranslationRegime.allCases)
  func linearPages(regime: TranslationRegime) throws {
    let gib: UInt64 = 1 << 30
    for size: UInt64 in [1, 2, 8, 64, 200] {
      #expect(try linear(regime, start: gib, size: size * gib).pageCount <= 5)
      #expect(try linear(regime, start: gib, size: size * gib, console: true).pageCount <= 7)
    }
    // Above 2^39 the stage's own addresses take another level; memory does not.
    #expect(try linear(.el1, start: 1 << 40, size: 8 * gib).pageCount == 6)
    // More than 512 GiB: a root, and a table for each.
    #expect(try linear(.el1, start: gib, size: 1024 * gib).pageCount <= 4 + 3 + 1)
  }

  /// Tables of windows for sources that `sizes`, in pages, has, each behind a page that nobody moves, at
  /// destinations side by side; and all that they take but for windows.
  private func contiguousPages(_ sizes: [UInt64]) throws -> Int {
    let ram = PhysicalRange(PhysicalAddress(1 << 30), upTo: PhysicalAddress(3 << 30))
    let control = PhysicalRange(ram.start + 0x3FE0_0000, upTo: ram.start + 0x3FE8_0000)
    var source = ram.start + 0x4000_3000
    var target = ram.start + 0x20_0000
    var destinations = PhysicalRangeSet()
    var extents: [Extent] = []
    for size in sizes {
      let extent = try #require(Extent(source: source, destination: target, size: size * 4096))
      extents.append(extent)
      destinations.insert(extent.destination)
      source = extent.source.end + 4096
      target = extent.destination.end
    }
    return try RelocationMap.contiguous(
      JoinedExtents(extents),
      RelocationMap.Request(
        regime: .el1, granule: .size4K, memory: PhysicalRangeSet([ram]), resident: [],
        control: control, touched: PhysicalRangeSet([ram]), destinations: destinations)
    ).pageCount
  }

  @Test("Windows take blocks where sources are long, and pages where they are not")
  func windowPages() throws {
    // 64 MiB: page by page 32 tables, and some more.
    let scattered = try contiguousPages([UInt64](repeating: 1, count: 16384))
    let whole = try contiguousPages([16384])
    #expect(scattered - whole == 32 - 2)
    // In step with the longest: the 32 MiB before and behind it are by pages.
    let mixed = try contiguousPages([3, 5000, 8192, 1, 1, 3187])
    #expect(mixed - whole >= 16 - 2 && mixed - whole <= 16 + 2)
  }

  @Test("Off and none have no tables and say so")
  func withoutTables() throws {
    let extent = try #require(
      Extent(source: PhysicalAddress(0x1000), destination: PhysicalAddress(0x4000), size: 4096))
    let somewhere = PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(0))
    let off = RelocationMap.off([extent])
    #expect(off.pageCount == 0 && off.extents == [extent] && off.strategy == .uncached)
    #expect(try off.seal(in: somewhere) == nil)
    let none = RelocationMap.none
    #expect(none.pageCount == 0 && none.extents == [] && none.strategy == .none)
    #expect(try none.seal(in: somewhere) == nil)
  }

  @Test("What does not lie in memory is refused, and tables need the room that they said")
  func refusals() throws {
    let machine = RelocationCase(
      system: .identity, regime: .el1, granule: .size4K, format: .bits48)
    var request = try Scenario(machine, seed: 1).request
    let outside = PhysicalRange(PhysicalAddress(0x1000), upTo: PhysicalAddress(0x2000))
    request.touched.insert(outside)
    #expect(throws: RelocationMap.Failure.outsideMemory(outside)) {
      try RelocationMap.identity([], request)
    }
    let map = try linear(.el1, start: 1 << 30, size: 1 << 30)
    let short = PhysicalRange(
      PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0x4000_0000 + 4096 * 4))
    #expect(map.pageCount == 5)
    #expect(throws: TableMemoryError.self) { _ = try map.seal(in: short) }
  }
}
