import PhysicalMemory
import TestSupport
import Testing

@testable import KexecRelocation

/// A machine of few pages, so that an allocator cannot but give destinations away.
private struct Scenario {
  let granule: Granule
  let memory: SimulatedPages
  let account = ScatteredPages.Account()
  let segments: [PhysicalRange]
  let contents: [[UInt8]]
  /// In the order in which the allocator gives them.
  let pages: [UInt64]

  init(granule: Granule = .size4K, seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    self.granule = granule
    let page = granule.pageSize
    let count = UInt64(Int.random(in: 40...160, using: &generator))
    let start = PhysicalAddress(16 * page)
    let range = PhysicalRange(start, upTo: start + count * page)
    memory = SimulatedPages(range) { _ in 0xA5 }
    var segments: [PhysicalRange] = []
    var contents: [[UInt8]] = []
    var next: UInt64 = UInt64.random(in: 0...4, using: &generator)
    // A third of memory at most, so that there is always a page for the rest.
    while true {
      let size = UInt64.random(in: 1...max(1, count / 9), using: &generator)
      guard segments.reduce(0, { $0 + $1.size / page }) + size <= count / 3, next + size < count
      else { break }
      let segment = PhysicalRange(start + next * page, upTo: start + (next + size) * page)
      segments.append(segment)
      let length = Int(
        UInt64.random(
          in: segment.size / 2...segment.size, using: &generator))
      // Each page unlike the others; some of nothing but zeros.
      var bytes: [UInt8] = []
      for _ in 0..<size {
        let isZero = Int.random(in: 0..<4, using: &generator) == 0
        bytes += [UInt8](
          repeating: isZero ? 0 : .random(in: 1...255, using: &generator), count: Int(page))
        if !isZero {
          for _ in 0..<8 {
            let index = bytes.count - 1 - Int.random(in: 0..<Int(page), using: &generator)
            bytes[index] = .random(in: 0...255, using: &generator)
          }
        }
      }
      bytes.removeLast(bytes.count - length)
      contents.append(bytes)
      next += size + UInt64.random(in: 0...3, using: &generator)
    }
    self.segments = segments
    self.contents = contents
    var pages = (0..<count).map { range.start.rawValue + $0 * page }
    // Scattered, or in order with the destinations first.
    if Bool.random(using: &generator) { pages.shuffle(using: &generator) }
    self.pages = pages
  }

  func image() throws -> Kimage<ScatteredPages, SimulatedPages> {
    try Kimage(
      segments: segments, granule: granule,
      allocator: ScatteredPages(pages, pageSize: granule.pageSize, account: account),
      memory: memory)
  }

  /// What a segment must be in the end.
  func expected(_ index: Int) -> [UInt8] {
    let zeros = Int(segments[index].size) - contents[index].count
    return contents[index] + [UInt8](repeating: 0, count: zeros)
  }

  /// Everything that a loader does: control pages of several orders in between.
  func load(
    _ image: inout Kimage<ScatteredPages, SimulatedPages>
  ) throws(KimageError) -> [PhysicalRange] {
    var control = [
      try image.takeControlPages(order: 2), try image.takeControlPages(order: 1),
    ]
    for (index, bytes) in contents.enumerated() {
      try unsafe image.load(index, bytes.span.bytes)
      if index == 0 { control.append(try image.takeControlPages(order: 0)) }
    }
    return control
  }
}

@Suite("Images that wait in scattered pages")
struct KimageTests {
  @Test(
    "Whatever pages they wait in, every byte arrives, and nothing else changes",
    arguments: Granule.allCases)
  func everyByteArrives(granule: Granule) throws {
    for seed in UInt64(0)..<(granule == .size4K ? 30 : 3) {
      let scenario = Scenario(granule: granule, seed: seed)
      var image = try scenario.image()
      let control = try scenario.load(&image)
      let list = try image.finish()
      let extents = image.extents()

      // No destination is a source of something else, nor a control page.
      for extent in extents {
        let inside = PhysicalRangeSet(scenario.segments).contains(extent.destination)
        #expect(inside, "seed \(seed)")
        for segment in scenario.segments {
          #expect(!extent.source.overlaps(segment), "seed \(seed)")
        }
      }
      for pages in control {
        for segment in scenario.segments {
          #expect(!pages.overlaps(segment), "seed \(seed)")
        }
      }
      // The same extents in any order: shuffled, then compared byte by byte.
      var generator = SeededGenerator(seed: seed)
      let before = scenario.memory.bytes
      scenario.memory.move(extents.shuffled(using: &generator))
      for (index, segment) in scenario.segments.enumerated() {
        #expect(
          Array(scenario.memory[segment]) == scenario.expected(index),
          "seed \(seed), segment \(index)")
      }
      for page in scenario.pages {
        let range = PhysicalRange(
          PhysicalAddress(page), upTo: PhysicalAddress(page + granule.pageSize))
        guard !scenario.segments.contains(where: { $0.overlaps(range) }) else { continue }
        let from = Int(range.start - scenario.memory.range.start)
        let isSame = Array(scenario.memory[range]) == Array(before[from..<from + Int(range.size)])
        #expect(isSame, "seed \(seed), page \(page)")
      }
      // As few extents as there can be: none continues the one before it.
      for (a, b) in zip(extents, extents.dropFirst()) where a.destination.end == b.destination.start
      {
        #expect(
          a.isZeros != b.isZeros || (!a.isZeros && a.source.end != b.source.start), "seed \(seed)")
      }
      #expect(list.head.tag == PageEntry.indirectionTag)
      image.release()
      #expect(scenario.account.out.isEmpty && !scenario.account.isWrong, "seed \(seed)")
    }
  }

  @Test("Each allocation fails in turn: a clean error, and all pages given back")
  func eachAllocationFails() throws {
    for seed in UInt64(0)..<4 {
      let first = Scenario(seed: seed)
      var image = try first.image()
      _ = try first.load(&image)
      _ = try image.finish()
      image.release()
      let requests = first.account.requests
      #expect(requests > 10)
      for failing in 1...requests {
        let scenario = Scenario(seed: seed)
        scenario.account.failingRequest = failing
        var image = try scenario.image()
        #expect(throws: KimageError.self, "seed \(seed), request \(failing)") {
          _ = try scenario.load(&image)
          _ = try image.finish()
        }
        #expect(
          scenario.account.out.isEmpty && !scenario.account.isWrong,
          "seed \(seed), request \(failing)")
      }
    }
  }

  private let base: UInt64 = 0x10_0000

  private func page(_ number: UInt64) -> UInt64 { base + number * 4096 }

  private func range(_ from: UInt64, _ to: UInt64) -> PhysicalRange {
    PhysicalRange(PhysicalAddress(page(from)), upTo: PhysicalAddress(page(to)))
  }

  private func memory() -> SimulatedPages { SimulatedPages(range(0, 64)) { UInt8($0) } }

  private func image(
    _ segments: [PhysicalRange], giving pages: [UInt64], _ memory: SimulatedPages,
    _ account: ScatteredPages.Account = .init()
  ) throws -> Kimage<ScatteredPages, SimulatedPages> {
    try Kimage(
      segments: segments, granule: .size4K,
      allocator: ScatteredPages(pages.map(page), pageSize: 4096, account: account), memory: memory)
  }

  @Test("A page that is its own destination stays there, and nothing is moved to it")
  func selfDestined() throws {
    let memory = memory()
    // 40: the list. 10 and 11 are their own destinations.
    var image = try self.image([range(10, 13)], giving: [40, 10, 11, 50], memory)
    let bytes = [UInt8](repeating: 7, count: 3 * 4096)
    try unsafe image.load(0, bytes.span.bytes)
    _ = try image.finish()
    #expect(
      image.extents() == [
        try #require(
          Extent(
            source: PhysicalAddress(page(50)), destination: PhysicalAddress(page(12)), size: 4096))
      ])
    image.release()
  }

  @Test("A page that is another's destination changes places with its source, content and all")
  func swapped() throws {
    let memory = memory()
    // The second page's turn: the allocator gives 10, where the first page's content, in 50, goes.
    var image = try self.image([range(10, 12)], giving: [40, 50, 10], memory)
    let bytes = [UInt8](repeating: 1, count: 4096) + [UInt8](repeating: 2, count: 4096)
    try unsafe image.load(0, bytes.span.bytes)
    _ = try image.finish()
    #expect(
      image.extents() == [
        try #require(
          Extent(
            source: PhysicalAddress(page(50)), destination: PhysicalAddress(page(11)), size: 4096))
      ])
    #expect(memory[range(10, 11)].allSatisfy { $0 == 1 })
    #expect(memory[range(50, 51)].allSatisfy { $0 == 2 })
    image.release()
  }

  @Test("A destination that comes too early is kept until its turn")
  func setAside() throws {
    let memory = memory()
    let account = ScatteredPages.Account()
    var image = try self.image([range(10, 12)], giving: [11, 40, 50], memory, account)
    try unsafe image.load(0, [UInt8](repeating: 1, count: 2 * 4096).span.bytes)
    _ = try image.finish()
    #expect(image.extents().map(\.destination) == [range(10, 11)])
    #expect(account.requests == 3)
    image.release()
    #expect(account.out.isEmpty)
  }

  @Test("The list is Linux's, word for word, over as many indirection pages as it takes")
  func list() throws {
    let count: UInt64 = 1200
    let range = PhysicalRange(PhysicalAddress(base), upTo: PhysicalAddress(page(2 * count)))
    let memory = SimulatedPages(range) { _ in 1 }
    let segment = PhysicalRange(
      PhysicalAddress(page(count)), upTo: PhysicalAddress(page(count + 1100)))
    var image = try self.image([segment], giving: (0..<count).map { $0 }, memory)
    try image.reserve(0)
    let list = try image.finish()
    // Walked here by the kernel's own rules.
    var words: [UInt64] = []
    var entry = list.head.rawValue
    var next: UInt64 = 0
    var indirections: [UInt64] = []
    while entry & 4 == 0 {
      if entry & 2 != 0 {
        next = entry & ~0xFFF
        indirections.append(next)
      } else {
        words.append(entry)
      }
      entry = memory.word(at: PhysicalAddress(next))
      next += 8
    }
    #expect(indirections == [page(0), page(512), page(1024)])
    #expect(words.first == segment.start.rawValue | 1)
    #expect(words.count == 1101 && words.dropFirst().allSatisfy { $0 & 0xFFF == 8 })
    #expect(image.listLength == 1101 + 3 + 1)
    // Pages in order: a run between two indirection pages each.
    #expect(image.extents().count == 3)
    #expect(image.sourceHull == self.range(1, 1103))
    image.release()
  }

  @Test("Pages of zeros have no source, and an image of nothing else no extent but theirs")
  func zeros() throws {
    let memory = memory()
    let account = ScatteredPages.Account()
    var image = try self.image([range(10, 14)], giving: [40, 50], memory, account)
    try unsafe image.load(0, [UInt8](repeating: 0, count: 4096 + 5).span.bytes)
    _ = try image.finish()
    #expect(image.extents() == [try #require(Extent(zeros: range(10, 14)))])
    #expect(account.requests == 1)
    image.release()
  }

  @Test("Segments that overlap, are empty, or hold less than a page, and too many bytes")
  func badSegments() throws {
    let memory = memory()
    for bad in [
      range(10, 10), PhysicalRange(PhysicalAddress(page(1)), upTo: PhysicalAddress(page(1) + 8)),
      PhysicalRange(PhysicalAddress(page(1) + 8), upTo: PhysicalAddress(page(2))),
    ] {
      #expect(throws: KimageError.badSegment(bad)) {
        var image = try self.image([range(20, 21), bad], giving: [], memory)
        image.release()
      }
    }
    #expect(throws: KimageError.overlap(range(10, 12), range(11, 13))) {
      var image = try self.image([range(10, 12), range(11, 13)], giving: [], memory)
      image.release()
    }
    let account = ScatteredPages.Account()
    var image = try self.image([range(10, 11), range(20, 21)], giving: [40, 50], memory, account)
    try unsafe image.load(0, [UInt8](repeating: 1, count: 4096).span.bytes)
    #expect(throws: KimageError.tooLong(range(20, 21), bytes: 4097)) {
      try unsafe image.load(1, [UInt8](repeating: 1, count: 4097).span.bytes)
    }
    #expect(account.out.isEmpty)
  }

  @Test("Nothing to move: the list is DONE")
  func nothing() throws {
    var image = try self.image([], giving: [], memory())
    let list = try image.finish()
    #expect(list.head == .done)
    #expect(image.extents() == [])
    image.release()
  }
}

@Suite("Lists from elsewhere")
struct EntryListTests {
  private func extents(_ words: [UInt64], limit: Int = 100) throws -> [Extent] {
    let memory = SimulatedPages(
      PhysicalRange(PhysicalAddress(0x1000), upTo: PhysicalAddress(0x4000))
    ) { _ in 0 }
    for (index, word) in words.enumerated() {
      memory.setWord(word, at: PhysicalAddress(0x1000 + UInt64(index) * 8))
    }
    return try EntryList(head: .indirection(PhysicalAddress(0x1000)))
      .extents(pageSize: 4096, in: memory, limit: limit)
  }

  @Test("What no list holds is refused, and a list in a circle ends")
  func malformed() throws {
    #expect(throws: EntryList.Malformed.noDestination) { try extents([0x5008, 4]) }
    #expect(throws: EntryList.Malformed.unknownEntry(0)) { try extents([0x9001, 0]) }
    #expect(throws: EntryList.Malformed.unknownEntry(0x5009)) { try extents([0x9001, 0x5009]) }
    #expect(throws: EntryList.Malformed.endless(limit: 50)) {
      try extents([0x9001, 0x5008, 0x1002], limit: 50)
    }
    #expect(throws: EntryList.Malformed.unknownEntry(0x5001)) {
      try EntryList(head: .destination(PhysicalAddress(0x5000)))
        .extents(
          pageSize: 4096,
          in: SimulatedPages(PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(8))) { _ in 0
          },
          limit: 100)
    }
  }

  @Test("A destination may be set at any time, and runs end there")
  func destinations() throws {
    let found = try extents([0x20_0001, 0x5008, 0x6008, 0x30_0001, 0x7008, 0x10, 0x10, 4])
    #expect(
      found.map(\.destination.start.rawValue) == [0x20_0000, 0x30_0000, 0x30_1000])
    #expect(found.map(\.size) == [0x2000, 0x1000, 0x2000])
    #expect(found.map(\.isZeros) == [false, false, true])
  }
}

@Suite("Hibernation's lists")
struct BackupListTests {
  private let range = PhysicalRange(
    PhysicalAddress(0x10_0000), upTo: PhysicalAddress(0x10_0000 + 600 * 4096))

  private func page(_ number: UInt64) -> PhysicalAddress { range.start + number * 4096 }

  @Test("Copies go back where they came from, however the list lies in memory")
  func restored() throws {
    for seed in UInt64(0)..<10 {
      var generator = SeededGenerator(seed: seed)
      let memory = SimulatedPages(range) { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8 &* 37) }
      let account = ScatteredPages.Account()
      // Pages 0 to 199 are saved to 200 to 399; the list lies behind.
      let copies = (UInt64(200)..<400).shuffled(using: &generator)
      var builder = BackupListBuilder(
        granule: .size4K,
        allocator: ScatteredPages(
          (400..<600).shuffled(using: &generator).map { page($0).rawValue }, pageSize: 4096,
          account: account), memory: memory)
      let saved = memory.bytes.prefix(200 * 4096)
      for (original, copy) in copies.enumerated() {
        memory.copy(4096, from: page(UInt64(original)), to: page(copy))
        try builder.append(copy: page(copy), original: page(UInt64(original)))
      }
      let extents = try builder.list.extents(pageSize: 4096, in: memory, limit: 200)
      memory.clear(PhysicalRange(page(0), upTo: page(200)))
      memory.move(extents)
      #expect(memory.bytes.prefix(200 * 4096) == saved, "seed \(seed)")
      #expect(builder.count == 200 && account.out.count == 2)
      builder.release()
      #expect(account.out.isEmpty)
    }
  }

  @Test("Neighbours are one extent, an empty list none, and a circle is refused")
  func shapes() throws {
    let memory = SimulatedPages(range) { _ in 0 }
    let account = ScatteredPages.Account()
    var builder = BackupListBuilder(
      granule: .size4K,
      allocator: ScatteredPages([page(500).rawValue], pageSize: 4096, account: account),
      memory: memory)
    #expect(try builder.list.extents(pageSize: 4096, in: memory, limit: 10) == [])
    for number in UInt64(0)..<170 {
      try builder.append(copy: page(200 + number), original: page(number))
    }
    #expect(
      try builder.list.extents(pageSize: 4096, in: memory, limit: 170)
        == [try #require(Extent(source: page(200), destination: page(0), size: 170 * 4096))])
    #expect(throws: EntryList.Malformed.endless(limit: 169)) {
      try builder.list.extents(pageSize: 4096, in: memory, limit: 169)
    }
    memory.setWord(page(500).rawValue, at: page(500) + 16)
    #expect(throws: EntryList.Malformed.endless(limit: 1000)) {
      try builder.list.extents(pageSize: 4096, in: memory, limit: 1000)
    }
    // 170 triples fill the page, and there is no other.
    #expect(throws: KimageError.noMemory(pages: 1)) {
      try builder.append(copy: page(0), original: page(1))
    }
    #expect(account.out.isEmpty)
  }
}
