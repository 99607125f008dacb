import ArmTranslation
import BootDigests
import CBatonArm64
import PhysicalMemory
import Testing

@testable import KexecRelocation

@Suite("Handoff plan")
struct HandoffPlanTests {
  private static let ram = PhysicalRange(
    PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0xC000_0000))
  private static let console = PhysicalAddress(0x900_0000)

  private func layout(
    regimes: [TranslationRegime], ram: [PhysicalRange] = [ram], pieceCount: Int = 31,
    console: PhysicalAddress? = console, consoleSize: UInt64 = 4096, granule: Granule = .size4K,
    processors: [UInt64] = []
  ) throws -> HandoffLayout {
    let memory = PhysicalRangeSet(ram)
    var request =
      HandoffLayout.Request(
        stage: try SyntheticStage.image(), regimes: regimes, granule: granule, ram: memory,
        console: console.flatMap { PhysicalRange(start: $0, size: consoleSize) },
        pieceCount: pieceCount,
        placement: PlacementRequest(
          available: memory, runningKernel: nil,
          bounds: PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(1 << 52)),
          pageSize: granule.pageSize,
          kernel: KernelRequirements(textOffset: 0, memorySize: 0x1E4_0000, mayLieAnywhere: true),
          initrdSize: 1_048_576, deviceTreeSize: 8192, controlSize: 0, controlAlignment: 1))
    request.processors = processors
    return try HandoffLayout(request)
  }

  /// All tables of a layout as one memory.
  private struct Memory: TableMemory {
    let start: PhysicalAddress
    let words: [UInt64]

    func word(at address: PhysicalAddress) -> UInt64? {
      guard address >= start, address - start < UInt64(words.count * 8) else { return nil }
      return words[Int((address - start) / 8)]
    }
  }

  @Test(
    "Memory above 2^48 takes tables of 52 bits, and only that",
    arguments: TranslationRegime.allCases)
  func highMemory(regime: TranslationRegime) throws {
    let start = PhysicalAddress(1 << 49)
    let ram = PhysicalRange(start, upTo: start + 0x8000_0000)
    let layout = try layout(regimes: [regime], ram: [ram])
    let translation = try #require(layout.translation(el2Layout: regime == .el2))
    let walker = try TableWalker(
      regime: regime, tcr: regime.tcr(translation.tcr, mmfr0: 0b0110), mair: translation.mair,
      ttbr0: translation.root.baseAddressField,
      memory: Memory(start: layout.tableMemory.start, words: layout.tableWords))
    try walker.requireIdentity(of: layout.placement.kernel, as: .data)
    let ds: UInt64 = regime == .el2 ? 1 << 32 : 1 << 59
    #expect(translation.tcr & ds != 0)
    let low = try self.layout(regimes: [regime]).translation(el2Layout: regime == .el2)
    #expect(try #require(low).tcr & ds == 0)
  }

  @Test(
    "The tables map the stage, what it checks and the console at their own addresses",
    arguments: TranslationRegime.allCases)
  func mapping(regime: TranslationRegime) throws {
    let layout = try layout(regimes: [regime])
    let translation = try #require(layout.translation(el2Layout: regime == .el2))
    #expect(layout.translation(el2Layout: regime != .el2) == nil)
    let walker = try TableWalker(
      regime: regime, tcr: regime.tcr(translation.tcr, mmfr0: 0b0101), mair: translation.mair,
      ttbr0: translation.root.rawValue,
      memory: Memory(start: layout.tableMemory.start, words: layout.tableWords))
    let base = layout.stageEntry
    func pages(_ offset: UInt64, _ count: UInt64) -> PhysicalRange {
      PhysicalRange(base + offset, upTo: base + offset + count * 4096)
    }
    try walker.requireIdentity(of: pages(0, 2), as: .code)
    try walker.requireIdentity(of: pages(0x10000, 1), as: .readOnlyData)
    try walker.requireIdentity(of: pages(0x20000, 3), as: .data)
    try walker.requireIdentity(of: layout.tableMemory, as: .readOnlyData)
    try walker.requireIdentity(of: layout.placement.kernel, as: .data)
    try walker.requireIdentity(of: layout.placement.deviceTree, as: .data)
    try walker.requireIdentity(of: try #require(layout.placement.initrd), as: .data)
    try walker.requireIdentity(
      of: PhysicalRange(Self.console, upTo: Self.console + 4096), as: .device)
    // Below the stack, and beside the console, there is nothing.
    for hole in [base + 0x1F000, base + 0x2000, Self.console + 4096] {
      #expect(throws: TranslationFault.self) {
        try walker.translate(VirtualAddress(identityOf: hole))
      }
    }
  }

  @Test(
    "Each CPU has a stack in memory that is nobody's destination, and a hole below it",
    arguments: Granule.allCases, [2, 64])
  func stacks(granule: Granule, count: Int) throws {
    let layout = try layout(
      regimes: [.el2], granule: granule, processors: (0..<UInt64(count)).map { $0 })
    #expect(layout.processors.count == count)
    let placement = layout.placement
    let stacks = try #require(placement.stacks)
    let slot = stacks.size / UInt64(count)
    #expect(slot * UInt64(count) == stacks.size && slot >= 2 * granule.pageSize)
    for other in [
      placement.kernel, placement.deviceTree, placement.control, try #require(placement.initrd),
    ] {
      #expect(!stacks.overlaps(other))
    }
    let translation = try #require(layout.translation(el2Layout: true))
    let walker = try TableWalker(
      regime: .el2, tcr: TranslationRegime.el2.tcr(translation.tcr, mmfr0: 0b0101),
      mair: translation.mair, ttbr0: translation.root.rawValue,
      memory: Memory(start: layout.tableMemory.start, words: layout.tableWords))
    for index in 0..<UInt64(count) {
      let start = stacks.start + index * slot
      try walker.requireIdentity(
        of: PhysicalRange(start + slot / 2, upTo: start + slot), as: .data)
      #expect(throws: TranslationFault.self) {
        try walker.translate(VirtualAddress(identityOf: start + (slot / 2 - 8)))
      }
    }
  }

  @Test("A CPU alone has no stack beside the stage's")
  func noStacks() throws {
    let layout = try layout(regimes: [.el2], processors: [0])
    #expect(layout.processors.isEmpty && layout.placement.stacks == nil)
  }

  @Test("Tables for a 2 GiB machine, console included, take at most 6 pages")
  func tablePages() throws {
    for regime in TranslationRegime.allCases {
      #expect(try layout(regimes: [regime]).tableMemory.size <= 6 * 4096)
    }
  }

  @Test("Where the level is not known there are tables of both layouts, one behind the other")
  func bothLayouts() throws {
    let layout = try layout(regimes: [.el1, .el2])
    let el1 = try #require(layout.translation(el2Layout: false))
    let el2 = try #require(layout.translation(el2Layout: true))
    #expect(el1.root != el2.root)
    #expect(layout.tableMemory.contains(el1.root) && layout.tableMemory.contains(el2.root))
  }

  @Test("Memory with many holes takes more tables, found and placed all the same")
  func fragmented() throws {
    // Each range ends off any 2 MiB boundary, so that every edge takes a table of pages.
    var ram: [PhysicalRange] = []
    for index in 0..<8 as Range<UInt64> {
      let start = 0x4010_0000 + index * 0x4000_0000
      ram.append(PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(start + 0x220_3000)))
    }
    let layout = try layout(regimes: [.el1, .el2], ram: ram)
    #expect(layout.tableMemory.size > 8 * 4096)
    for part in [
      layout.placement.kernel, layout.placement.deviceTree, layout.placement.control,
      try #require(layout.placement.initrd),
    ] {
      #expect(PhysicalRangeSet(ram).contains(part))
    }
  }

  @Test("Registers that straddle a page boundary are mapped on both sides of it")
  func consoleAcrossPages() throws {
    let layout = try layout(
      regimes: [.el1], console: PhysicalAddress(0x900_0FE0), consoleSize: 64)
    let translation = try #require(layout.translation(el2Layout: false))
    let walker = try TableWalker(
      regime: .el1, tcr: TranslationRegime.el1.tcr(translation.tcr, mmfr0: 0b0101),
      mair: translation.mair, ttbr0: translation.root.rawValue,
      memory: Memory(start: layout.tableMemory.start, words: layout.tableWords))
    try walker.requireIdentity(
      of: PhysicalRange(PhysicalAddress(0x900_0000), upTo: PhysicalAddress(0x900_2000)),
      as: .device)
  }

  @Test("A console inside RAM is an error, not a second mapping")
  func consoleInRAM() {
    #expect(throws: HandoffError.self) {
      try layout(regimes: [.el1], console: PhysicalAddress(0x8000_0000))
    }
  }

  @Test("More pieces than the block can hold are an error")
  func tooLarge() {
    #expect(throws: HandoffError.tooLarge(pieces: 100_000)) {
      try layout(regimes: [.el1], pieceCount: 100_000)
    }
  }

  @Test("What is loaded: every byte once, whole pages, at most 16 segments, nothing twice")
  func segments() throws {
    let kernel = [UInt8](repeating: 0x11, count: 3_000_000)
    let initrd = (0..<1_048_576).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let tree = [UInt8](repeating: 0x33, count: 8192)
    let selection = PieceSelection.everything
    let count = HandoffPlan.pieceCount(
      selection, kernel: kernel.count, initrd: initrd.count, deviceTree: tree.count)
    let layout = try layout(regimes: [.el2], pieceCount: count)
    let lifeline = Lifeline(console: .pl011(Self.console), conduit: .smc)
    let plan = unsafe HandoffPlan(
      layout: layout, stage: try SyntheticStage.image(), kernel: kernel.span.bytes,
      initrd: initrd.span.bytes, deviceTree: tree.span.bytes, lifeline: lifeline,
      selection: selection, digestingWith: .portable, recordOffset: 512)
    #expect(plan.segments.count <= 16)
    #expect(plan.pieces.count == count)
    var loaded = PhysicalRangeSet()
    for segment in plan.segments {
      #expect(segment.destination.start.isAligned(to: 4096))
      #expect(segment.destination.size % 4096 == 0 && segment.destination.size >= segment.size)
      #expect(!loaded.overlaps(segment.destination), "\(segment.name)")
      loaded.insert(segment.destination)
    }
    // The digests are of the right bytes at the right places.
    for piece in plan.pieces where piece.role == .initrd {
      let place = try #require(layout.placement.initrd)
      let offset = Int(piece.range.start - place.start)
      let bytes = [UInt8](initrd[offset..<(offset + Int(piece.range.size))])
      let digest = unsafe SHA256.digest(of: bytes.span.bytes, using: .portable)
      #expect(digest == piece.digest)
    }
    // The stage would accept what is loaded.
    let words = try #require(
      plan.segments.compactMap { segment -> [UInt64]? in
        guard case .words(let words) = segment.content, "\(segment.name)" == "block" else {
          return nil
        }
        return words
      }.first)
    var stage = try SyntheticStage.image()
    stage.setLifeline(lifeline)
    let (code, constants, tables) = (stage.code.words, stage.constants.words, layout.tableWords)
    try unsafe (words + [UInt64](repeating: 0, count: 64)).withUnsafeBytes { bytes in
      // Sound: aligned as an array's words are, and long enough for the block.
      guard let start = bytes.baseAddress else { return }
      let view = try unsafe HandoffBlockView(at: start, address: layout.blockAddress)
      try view.check(code: code.span, constants: constants.span, tables: tables.span)
      #expect(view.header.entry == layout.placement.kernel.start.rawValue)
      #expect(view.header.record == layout.placement.deviceTree.start.rawValue + 512)
      #expect(view.header.arguments.0 == layout.placement.deviceTree.start.rawValue)
    }
  }
}
