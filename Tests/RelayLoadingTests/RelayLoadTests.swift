import ArmTranslation
import BootDigests
import CBatonArm64
import CStageImage
import PhysicalMemory
import TestSupport
import Testing

@testable import KexecRelocation
@testable import RelayLoading

@Suite("Loading for a relocation")
struct RelayLoadTests {
  private static let ram = PhysicalRange(
    PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0x4800_0000))

  /// 18 pages and a part of one, zeros up to 25; a tree.
  private static let kernel = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 >> 12) | 1 }
  private static let segments = [
    LoadSegment(
      .kernel, .bytes(kernel), at: PhysicalAddress(0x4020_0000), memorySize: 100_000),
    LoadSegment(
      .deviceTree, .bytes([UInt8](repeating: 2, count: 100)), at: PhysicalAddress(0x4040_0000)),
  ]

  /// What is restored: 40 pages.
  private static let snapshots = [
    LoadSegment(.kernel, .snapshot(30 * 4096), at: PhysicalAddress(0x4020_0000)),
    LoadSegment(.initrd, .snapshot(10 * 4096), at: PhysicalAddress(0x4040_0000)),
  ]

  private func request(_ system: RelocationSystem, _ regime: TranslationRegime = .el1) throws
    -> RelayLoad.Request
  {
    // Sound: the array and its size are constants of this program.
    let stage = try unsafe StageImage(
      UnsafeRawBufferPointer(start: baton_stage_image(), count: baton_stage_image_size()))
    return RelayLoad.Request(
      system: system, regime: regime, granule: .size4K,
      lifeline: Lifeline(console: .none, conduit: .smc), redistributors: [],
      mappable: PhysicalRangeSet([Self.ram]), digests: .portable, stage: stage,
      entry: PhysicalAddress(0x4020_0000), arguments: (0x4040_0000, 0, 0, 0))
  }

  /// Memory that begins right below the kernel's place, so that pages of it are handed out; without
  /// what is loaded, where nothing may be handed out of it.
  private func supply(
    _ layout: SourceLayout = .worst, without excluded: [LoadSegment] = []
  ) -> PageSupply {
    var free = PhysicalRangeSet([
      PhysicalRange(PhysicalAddress(0x401F_E000), upTo: Self.ram.end)
    ])
    for segment in excluded { free.subtract(segment.pages(.size4K)) }
    return PageSupply(free, pageSize: 4096, layout: layout)
  }

  private func excluded(_ system: RelocationSystem) -> [LoadSegment] {
    system == .none ? Self.segments : []
  }

  @Test(
    "Each page that is not there fails the load cleanly, and every other is given back",
    arguments: RelocationSystem.allCases)
  func failingPages(_ system: RelocationSystem) throws {
    let request = try request(system)
    let whole = supply(without: excluded(system))
    let load = try RelayLoad(Self.segments, request, from: whole, into: SparsePages())
    #expect(load.pages == (system == .none ? 0 : 19))
    // The control pages are one; with them, where anything moves, 19 sources, a page of the list,
    // and four pages that somebody else goes to.
    #expect(whole.requests == (system == .none ? 1 : 25))
    for failing in 1...whole.requests {
      let supply = supply(without: excluded(system))
      supply.failingRequest = failing
      #expect(throws: RelayFailure.self, "request \(failing)") {
        _ = try RelayLoad(Self.segments, request, from: supply, into: SparsePages())
      }
      #expect(supply.requests == failing)
      #expect(supply.outstanding == 0)
    }
  }

  @Test("Each page that is not there fails a snapshot cleanly, and every other is given back")
  func failingCopies() throws {
    let request = try request(.linear)
    func restore(_ supply: PageSupply) throws(RelayFailure) -> RelayLoad {
      let room = try RelayLoad.controlPages(toRestore: Self.snapshots, request, from: supply)
      return try RelayLoad(
        restoring: Self.snapshots, request, in: room, from: supply, into: SparsePages())
    }
    let whole = supply(without: Self.snapshots)
    let load = try restore(whole)
    #expect(load.pages == 40 && load.entries == 40)
    // The control pages are a request, the list is a page.
    #expect(whole.requests == 42)
    let control = whole.outstanding - 41
    for failing in 1...whole.requests {
      let supply = supply(without: Self.snapshots)
      supply.failingRequest = failing
      #expect(throws: RelayFailure.self, "request \(failing)") { _ = try restore(supply) }
      #expect(supply.outstanding == (failing == 1 ? 0 : control))
    }
  }

  @Test("Memory that has no room for the control pages is an error, and so is none at all")
  func noRoom() throws {
    let request = try request(.linear, .el2)
    for size: UInt64 in [0, 0x10_0000] {
      let start = PhysicalAddress(0x4100_0000)
      let supply = PageSupply(
        PhysicalRangeSet([PhysicalRange(start, upTo: start + size)]), pageSize: 4096,
        layout: .worst)
      #expect(throws: RelayFailure.noMemory(pages: 0)) {
        _ = try RelayLoad(Self.segments, request, from: supply, into: SparsePages())
      }
      #expect(supply.outstanding == 0)
    }
  }

  @Test(
    "Memory that ends inside a page between two sources is no obstacle",
    arguments: [RelocationSystem.off, .identity])
  func raggedMemory(_ system: RelocationSystem) throws {
    var request = try request(system)
    request.granule = .size64K
    let hole = PhysicalRange(PhysicalAddress(0x4100_1000), upTo: PhysicalAddress(0x4100_2000))
    request.mappable.subtract(hole)
    // A page below the hole, and then others above it.
    let free = PhysicalRangeSet([
      PhysicalRange(PhysicalAddress(0x40FF_0000), upTo: hole.start),
      PhysicalRange(hole.end, upTo: Self.ram.end),
    ])
    let supply = PageSupply(free, pageSize: 65536, layout: .worst)
    let load = try RelayLoad(Self.segments, request, from: supply, into: SparsePages())
    #expect(load.pages == 3 && load.extents == 3)
  }

  @Test("Where nothing moves, zeros lie behind the bytes, too")
  func zerosInPlace() throws {
    let memory = SparsePages()
    _ = try RelayLoad(
      Self.segments, try request(.none), from: supply(without: Self.segments), into: memory)
    let kernel = memory[Self.segments[0].destination]
    #expect(kernel.prefix(Self.kernel.count) == Self.kernel[...])
    #expect(kernel.count == 100_000 && kernel.dropFirst(Self.kernel.count).allSatisfy { $0 == 0 })
  }

  @Test("A block larger than the stage takes is refused at load; the contiguous map needs none")
  func blockSize() throws {
    let count: UInt64 = 175_000
    let sources = PhysicalAddress(1 << 32)
    let target = PhysicalAddress(1 << 33)
    let extents = (0..<count).map {
      Extent(unchecked: sources.rawValue + $0 * 8192, target.rawValue + $0 * 4096, 4096)
    }
    let destinations = PhysicalRangeSet([PhysicalRange(target, upTo: target + count * 4096)])
    func layout(_ system: RelocationSystem) throws -> RelayLoad.Control.Layout {
      var request = try request(system)
      request.mappable.insert(PhysicalRange(sources, upTo: sources + count * 8192))
      request.mappable.formUnion(destinations)
      return try RelayLoad.Control.Layout(
        request, extents: extents, touched: request.mappable, destinations: destinations, pieces: 1,
        in: PhysicalRange(PhysicalAddress(0x4100_0000), upTo: PhysicalAddress(0x4200_0000)))
    }
    let size = HandoffBlock.size(extents: Int(count), pieces: 1)
    #expect(size > HandoffBlockView.maximumSize)
    #expect(throws: RelayFailure.tooLarge(bytes: UInt64(size))) { try layout(.linear) }
    // A descriptor for each page, and little else.
    #expect(try layout(.contiguous).tables.memory.size < 8 * count + 16 * 4096)
  }

  @Test(
    "Tables have the room that was set aside for them, and little more is taken",
    arguments: Granule.allCases, TranslationRegime.allCases)
  func tableRoom(_ granule: Granule, _ regime: TranslationRegime) throws {
    let page = granule.pageSize
    let sources = PhysicalAddress(1 << 32)
    let target = PhysicalAddress(1 << 33)
    for seed in UInt64(0)..<12 {
      var generator = SeededGenerator(seed: seed)
      // Scattered pages, long runs, pages that stay where they are, one behind the other.
      var extents: [Extent] = []
      var source = sources.rawValue
      var destination = target.rawValue
      var pages: UInt64 = 0
      let count = Int.random(in: 1...3000, using: &generator)
      let longest: UInt64 = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 16 : 3000
      while extents.count < count, pages < 40_000 {
        let run = UInt64.random(in: 1...longest, using: &generator)
        extents.append(Extent(unchecked: source, destination, run * page))
        pages += run
        source += (run + UInt64.random(in: 1...3, using: &generator)) * page
        destination += run * page
        if seed % 2 == 1, Int.random(in: 0..<8, using: &generator) == 0 {
          destination += page
          pages += 1
        }
      }
      var request = try request(.contiguous, regime)
      request.granule = granule
      let touched = PhysicalRangeSet([
        PhysicalRange(sources, upTo: PhysicalAddress(source)),
        PhysicalRange(target, upTo: PhysicalAddress(destination)),
      ])
      request.mappable.formUnion(touched)
      let place = PhysicalRange(target, upTo: PhysicalAddress(destination))
      let segment = LoadSegment(.kernel, .snapshot(place.size), at: target)
      let order = RelayLoad.controlOrder(
        pages: RelayLoad.pageCount(of: [segment], granule), [segment], request)
      let room = PhysicalRange(
        PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0x4000_0000 + page << UInt64(order)))
      let layout = try RelayLoad.Control.Layout(
        request, extents: extents, touched: touched, destinations: PhysicalRangeSet([place]),
        pieces: 1, in: PhysicalRange(room.start + StageImage.baseAlignment, upTo: room.end))
      #expect(layout.place.end <= room.end, "seed \(seed)")
      let spare = (layout.place.end - layout.tables.memory.end) / page
      #expect(spare <= 8, "seed \(seed)")
      let needed = Int(layout.tables.memory.size / page)
      let most = RelayLoad.Control.mostTablePages(request, pages: Int(place.size / page))
      #expect(needed <= most, "seed \(seed)")
    }
  }

  @Test("Parts that overlap are refused")
  func overlap() throws {
    let request = try request(.linear)
    let supply = supply()
    let twice = [Self.segments[0], Self.segments[0]]
    #expect(throws: RelayFailure.segment(Self.segments[0].pages(.size4K))) {
      _ = try RelayLoad(twice, request, from: supply, into: SparsePages())
    }
  }

  @Test("Layouts scatter as they say", arguments: SourceLayout.allCases)
  func layouts(_ layout: SourceLayout) throws {
    let request = try request(.identity, .el2Host)
    let load = try RelayLoad(
      Self.segments, request, from: supply(layout, without: Self.segments), into: SparsePages())
    // One more for the zeros behind the kernel's bytes.
    switch layout {
    case .worst: #expect(load.extents == 19 + 1)
    case .typical: #expect(load.extents < 6)
    // The first source lies below the kernel's place, where the list is, too.
    case .best: #expect(load.extents == 3 + 1)
    }
    // A destination for each of the two, 19 sources, 7 pages of zeros, a link and the end.
    #expect(load.entries == 2 + 19 + 7 + 1 + 1)
  }

  @Test(
    "What is loaded arrives, whatever pages it waits in, and its zeros without a source",
    arguments: SourceLayout.allCases)
  func arrives(_ layout: SourceLayout) throws {
    let request = try request(.linear)
    let memory = SparsePages()
    let load = try RelayLoad(Self.segments, request, from: supply(layout), into: memory)
    // Pages of the kernel's own place were handed out, and stay.
    #expect(load.extents < 19)
    try move(load, request, memory)
    #expect(memory[Self.segments[0].destination].prefix(Self.kernel.count) == Self.kernel[...])
    let rest = memory[Self.segments[0].pages(.size4K)].dropFirst(Self.kernel.count)
    #expect(rest.count == 25 * 4096 - 70_000 && rest.allSatisfy { $0 == 0 })
    #expect(memory[Self.segments[1].destination].allSatisfy { $0 == 2 })
  }

  @Test("What is restored is what was copied", arguments: SourceLayout.allCases)
  func restores(_ layout: SourceLayout) throws {
    let request = try request(.linear)
    let memory = SparsePages()
    for segment in Self.snapshots {
      memory[segment.destination] = (0..<Int(segment.size)).map {
        UInt8(truncatingIfNeeded: $0 / 61)
      }
    }
    let supply = supply(layout, without: Self.snapshots)
    let room = try RelayLoad.controlPages(toRestore: Self.snapshots, request, from: supply)
    let load = try RelayLoad(
      restoring: Self.snapshots, request, in: room, from: supply, into: memory)
    for segment in Self.snapshots { memory.clear(segment.destination) }
    try move(load, request, memory)
    for segment in Self.snapshots {
      let expected = (0..<Int(segment.size)).map { UInt8(truncatingIfNeeded: $0 / 61) }
      #expect(memory[segment.destination] == expected)
    }
  }

  /// Does what the block at the stage's says.
  private func move(
    _ load: RelayLoad, _ request: RelayLoad.Request, _ memory: SparsePages
  ) throws {
    let address = load.control.start + request.stage.blockOffset
    let bytes = memory[PhysicalRange(address, upTo: load.control.end)]
    var words = [UInt64](repeating: 0, count: bytes.count / 8)
    for (index, byte) in bytes.prefix(words.count * 8).enumerated() {
      words[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8)
    }
    // Sound: whole words, alive during the call.
    try unsafe words.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      let block = try unsafe HandoffBlockView(at: base, address: address)
      #expect(block.extentCount == load.extents)
      for index in 0..<block.extentCount {
        let extent = block.extent(index)
        let target = PhysicalAddress(extent.destination)
        if extent.source == BATON_EXTENT_ZEROS {
          memory.clear(PhysicalRange(target, upTo: target + extent.size))
        } else {
          memory.copy(extent.size, from: PhysicalAddress(extent.source), to: target)
        }
      }
    }
  }
}
