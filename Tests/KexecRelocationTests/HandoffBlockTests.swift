import BootDigests
import CBatonArm64
import PhysicalMemory
import TestSupport
import Testing

@testable import KexecRelocation

@Suite("Handoff block")
struct HandoffBlockTests {
  private static let address = PhysicalAddress(0x7003_0000)
  private let code = [UInt64](repeating: 0x1111, count: 40)
  private let constants = [UInt64](repeating: 0x2222, count: 8)
  private let tables = [UInt64](repeating: 0x3333, count: 512)

  private func block() throws -> HandoffBlock {
    let digest = SHA256Digest(bytes: InlineArray { UInt8($0) })
    return HandoffBlock(
      address: Self.address,
      lifeline: Lifeline(console: .pl011(PhysicalAddress(0x900_0000)), conduit: .smc),
      entry: PhysicalAddress(0x4020_0000), arguments: (0x6000_0000, 0, 0, 0),
      tables: PhysicalRange(PhysicalAddress(0x7003_1000), upTo: PhysicalAddress(0x7003_2000)),
      granule: .size4K, el1Layout: nil,
      el2Layout: .init(
        root: PhysicalAddress(0x7003_1000), tcr: 0x8080_0000, mair: 0x4FF,
        upperRoot: PhysicalAddress(0x7003_1800)),
      strategy: .mapped(source: 0xFFFF_0000_0000_0000, destination: 0x80_0000_0000),
      extents: [
        try #require(
          Extent(
            source: PhysicalAddress(0x5000_0000), destination: PhysicalAddress(0x4020_0000),
            size: 8192))
      ],
      pieces: [
        Piece(
          role: .initrd,
          range: PhysicalRange(PhysicalAddress(0x4800_0000), upTo: PhysicalAddress(0x4800_1234)),
          digest: digest)
      ],
      kernelStart: PhysicalAddress(0x4030_0000), kernelMemorySize: 0x1D0_0000,
      kernelLoadedSize: 0x1A0_0123)
  }

  /// Reads and checks `words` as the stage does.
  private func check(
    _ words: [UInt64], code: [UInt64]? = nil, tables: [UInt64]? = nil
  ) throws -> (baton_handoff_block, baton_extent, baton_piece) {
    let code = code ?? self.code
    let tables = tables ?? self.tables
    // The view may look at as much as a block can take.
    let memory = words + [UInt64](repeating: 0, count: 64)
    return try unsafe memory.withUnsafeBytes { bytes in
      // Sound: aligned as an array's words are, and bounded below.
      guard let base = bytes.baseAddress else { throw HandoffBlockView.Refusal.badSize(0) }
      let view = try unsafe HandoffBlockView(at: base, address: Self.address)
      guard Int(view.header.size) <= bytes.count else {
        throw HandoffBlockView.Refusal.badSize(view.header.size)
      }
      try view.check(code: code.span, constants: constants.span, tables: tables.span)
      return (view.header, view.extent(0), view.piece(0))
    }
  }

  private func encoded() throws -> [UInt64] {
    try block().encoded(code: code.span, constants: constants.span, tables: tables.span)
  }

  @Test("What the loader writes is what the stage reads")
  func roundTrip() throws {
    let (header, extent, piece) = try check(try encoded())
    #expect(header.entry == 0x4020_0000)
    #expect(header.arguments.0 == 0x6000_0000)
    #expect(header.el1_layout.root == 0)
    #expect(header.el2_layout.mair == 0x4FF && header.el2_layout.upper == 0x7003_1800)
    #expect(header.strategy == UInt32(BATON_STRATEGY_MAPPED))
    #expect(header.kernel == 0x4030_0000)
    #expect(header.kernel_memory_size == 0x1D0_0000)
    #expect(header.kernel_loaded_size == 0x1A0_0123)
    #expect(header.source_offset == 0xFFFF_0000_0000_0000)
    #expect(header.destination_offset == 0x80_0000_0000)
    #expect(Lifeline(header.lifeline) == (try block().lifeline))
    #expect(extent.source == 0x5000_0000 && extent.destination == 0x4020_0000)
    #expect(extent.size == 8192)
    #expect(piece.segment == SegmentRole.initrd.rawValue && piece.size == 0x1234)
  }

  @Test(
    "CPUs and their stacks arrive; more than there may be, or less memory than they need, do not")
  func processors() throws {
    func view(_ count: UInt64, stacks: UInt64) throws -> [UInt64] {
      var block = try block()
      block.processors = (0..<count).map { 0x1_0000_0000 | $0 }
      block.stacks = PhysicalRange(
        PhysicalAddress(0x7100_0000), upTo: PhysicalAddress(0x7100_0000 + stacks))
      let words = block.encoded(code: code.span, constants: constants.span, tables: tables.span)
      return try unsafe (words + [UInt64](repeating: 0, count: 64)).withUnsafeBytes { bytes in
        // Sound: aligned as an array's words are, and as long as the block.
        guard let base = bytes.baseAddress else { throw HandoffBlockView.Refusal.badSize(0) }
        let view = try unsafe HandoffBlockView(at: base, address: Self.address)
        #expect(view.header.stacks == 0x7100_0000 && view.header.stacks_size == stacks)
        return (0..<view.processorCount).map { view.processor($0) }
      }
    }
    #expect(try view(3, stacks: 0x6000) == [0x1_0000_0000, 0x1_0000_0001, 0x1_0000_0002])
    #expect(try view(64, stacks: 0x8_0000).count == 64)
    #expect(throws: HandoffBlockView.Refusal.badProcessors) { try view(65, stacks: 0x10_0000) }
    #expect(throws: HandoffBlockView.Refusal.badProcessors) { try view(3, stacks: 0x5000) }
  }

  @Test("What the kernel takes is counted from its first byte, wherever the entry is")
  func kernelPlace() throws {
    var block = try block()
    block.entry = PhysicalAddress(0x9000_0000)
    let words = block.encoded(code: code.span, constants: constants.span, tables: tables.span)
    try unsafe words.withUnsafeBytes { bytes in
      // Sound: aligned as an array's words are, and as long as the block.
      let view = try unsafe HandoffBlockView(
        at: #require(bytes.baseAddress), address: Self.address)
      func page(_ start: UInt64) -> PhysicalRange {
        PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(start + 4096))
      }
      #expect(view.overlaps(page(0x4030_0000)) && view.overlaps(page(0x41FF_F000)))
      #expect(!view.overlaps(page(0x4200_0000)) && !view.overlaps(page(0x9000_0000)))
    }
  }

  @Test("Every single bit that flips in the block is found")
  func everyBit() throws {
    let words = try encoded()
    for word in words.indices {
      for bit in 0..<64 {
        var damaged = words
        damaged[word] ^= 1 << UInt64(bit)
        #expect(throws: HandoffBlockView.Refusal.self, "word \(word), bit \(bit)") {
          try check(damaged)
        }
      }
    }
  }

  @Test("A bit that flips in stage or tables is found")
  func elsewhere() throws {
    let words = try encoded()
    for bit in 0..<64 {
      var damaged = code
      damaged[17] ^= 1 << UInt64(bit)
      #expect(throws: HandoffBlockView.Refusal.self) { try check(words, code: damaged) }
      damaged = tables
      damaged[400] ^= 1 << UInt64(bit)
      #expect(throws: HandoffBlockView.Refusal.self) { try check(words, tables: damaged) }
    }
  }

  @Test("A block of another version is refused by its number")
  func version() throws {
    var words = try encoded()
    words[1] = words[1] & ~0xFFFF_FFFF | 7
    #expect(throws: HandoffBlockView.Refusal.unknownVersion(7)) { try check(words) }
  }

  @Test("A fixed part of another size is refused: a newer one and an older one")
  func fixedSize() throws {
    let own = UInt64(MemoryLayout<baton_handoff_block>.size)
    for size in [own + 8, own - 8, 0] {
      var words = try encoded()
      words[4] = words[4] & ~0xFFFF_FFFF | size
      #expect(throws: HandoffBlockView.Refusal.unknownFixedSize(UInt32(size))) { try check(words) }
    }
  }

  @Test("A strategy that nobody knows is refused")
  func strategy() throws {
    var block = try block()
    for (strategy, number) in [
      (HandoffBlock.Strategy.identity, BATON_STRATEGY_MAPPED),
      (.uncached, BATON_STRATEGY_UNCACHED), (.none, BATON_STRATEGY_NONE),
    ] {
      block.strategy = strategy
      let words = block.encoded(code: code.span, constants: constants.span, tables: tables.span)
      #expect(try check(words).0.strategy == UInt32(number))
    }
    var words = try encoded()
    words[4] |= 3 << 32
    #expect(throws: HandoffBlockView.Refusal.unknownStrategy(3)) { try check(words) }
  }

  @Test("Garbage of any kind is refused, never read beyond")
  func garbage() {
    let seed: UInt64 = 0xBA70_0002
    var generator = SeededGenerator(seed: seed)
    for round in 0..<2000 {
      var words = (0..<64).map { _ in UInt64.random(in: .min ... .max, using: &generator) }
      // Half of them get as far as the fields behind the magic.
      if round % 2 == 0 {
        words[0] = BATON_BLOCK_MAGIC
        words[1] = UInt64(BATON_BLOCK_VERSION) | UInt64(words[1] >> 54 & ~7) << 32
        words[3] = Self.address.rawValue
        words[4] = UInt64(MemoryLayout<baton_handoff_block>.size)
      }
      #expect(throws: HandoffBlockView.Refusal.self, "seed \(seed), round \(round)") {
        try check(words)
      }
    }
  }

  @Test("An SBSA UART is to the stage what a PL011 is")
  func genericUART() {
    let base = PhysicalAddress(0x900_0000)
    let lifeline = Lifeline(console: .sbsaUART(base), conduit: .smc)
    #expect(Lifeline(lifeline.encoded)?.console == .pl011(base))
    #expect(lifeline.console.registers == Lifeline.Console.pl011(base).registers)
  }

  @Test("A lifeline survives its encoding, and every flipped bit in it is found")
  func lifeline() {
    let base = PhysicalAddress(0x900_0000)
    for console in [
      Lifeline.Console.none, .pl011(base), .ns16550(base, shift: 0, width: .byte),
      .ns16550(base, shift: 1, width: .halfword), .ns16550(base, shift: 2, width: .word),
    ] {
      for conduit in [Lifeline.Conduit.none, .smc, .hvc] {
        for halts in [false, true] {
          let lifeline = Lifeline(console: console, conduit: conduit, haltsOnFailure: halts)
          let encoded = lifeline.encoded
          #expect(Lifeline(encoded) == lifeline)
          for bit in 0..<(8 * MemoryLayout<baton_lifeline>.size) {
            var damaged = encoded
            // Sound: a C struct without padding.
            unsafe withUnsafeMutableBytes(of: &damaged) { unsafe $0[bit / 8] ^= 1 << (bit % 8) }
            #expect(Lifeline(damaged) == nil)
          }
        }
      }
    }
  }
}
