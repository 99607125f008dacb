import ArmTranslation
import BootDigests
import BootFormats
import CBatonArm64
import KexecRelocation
import PhysicalMemory
import Testing

@testable import BatonCommand

/// What a load leaves in memory for the stage: its own code, its plan, its tables.
@Suite struct HandoffContentTests {
  private static let load = ["-l", "/boot/Image", "--initrd=/boot/initrd"]

  private func loaded(
    _ options: [String] = [], _ prepare: (FakeLinux) throws -> Void = { _ in }
  ) throws -> (memory: LoadedMemory, linux: FakeLinux) {
    let linux = try FakeLinux.machine()
    try prepare(linux)
    try #require(
      Baton.run(Self.load + options, system: linux) == .success, "\(linux.complaints)")
    return (try LoadedMemory(linux), linux)
  }

  @Test func `The stage is loaded as it was built, but for its lifeline`() throws {
    let memory = try loaded().memory
    let lifeline =
      Int(STAGE_HEADER_LIFELINE)
      / 8..<(Int(STAGE_HEADER_LIFELINE)
      + MemoryLayout<baton_lifeline>.size) / 8
    var code = memory.code
    var built = memory.stage.code.words
    #expect(Array(code[lifeline]) != Array(built[lifeline]))
    code.removeSubrange(lifeline)
    built.removeSubrange(lifeline)
    #expect(code == built)
    #expect(memory.constants == memory.stage.constants.words)
  }

  @Test func `The stage finds its variables zeroed`() throws {
    let memory = try loaded().memory
    let writable = memory.stage.writable
    let segment = try #require(
      memory.segments.first { $0.destination == memory.entry + writable.offset })
    #expect(segment.bytes.isEmpty)
    #expect(UInt64(segment.memorySize) >= writable.memorySize)
  }

  @Test(arguments: [[], ["-i"], ["--on-failure=halt"]])
  func `The block checks, and says where the next kernel and its tree are`(
    options: [String]
  ) throws {
    let (memory, linux) = try loaded(options)
    let content = try #require(linux.files["/boot/Image"])
    let kernel = try #require(memory.segments.first { $0.bytes == content })
    let tree = try #require(
      memory.segments.first { $0.bytes.starts(with: [0xd0, 0x0d, 0xfe, 0xed]) })
    try memory.withBlock { block in
      let tables = memory.words(
        at: block.header.tables, count: Int(block.header.table_size) / 8)
      try block.check(
        code: memory.code.span, constants: memory.constants.span, tables: tables.span)
      #expect(block.header.entry == kernel.destination)
      #expect(block.header.arguments.0 == tree.destination)
      #expect(
        [block.header.arguments.1, block.header.arguments.2, block.header.arguments.3]
          == [0, 0, 0])
      #expect(block.extentCount == 0, "everything is loaded where it belongs")
    }
  }

  @Test func `Any damage to what was loaded makes the block's check fail`() throws {
    let memory = try loaded().memory
    try memory.withBlock { block in
      let tables = memory.words(
        at: block.header.tables, count: Int(block.header.table_size) / 8)
      var code = memory.code
      code[code.count / 2] ^= 1 << 40
      #expect(throws: HandoffBlockView.Refusal.self) {
        try block.check(
          code: code.span, constants: memory.constants.span, tables: tables.span)
      }
    }
  }

  @Test func `Every byte of kernel, initrd and tree lies in a piece of at most 1 MiB`() throws {
    let (memory, linux) = try loaded {
      $0.files["/boot/Image"] = FakeLinux.kernelImage + [UInt8](repeating: 7, count: 0x18_0000)
    }
    let pieces = try pieces(of: memory)
    var covered = PhysicalRangeSet()
    for piece in pieces {
      #expect(piece.range.size <= 1 << 20)
      #expect(!covered.overlaps(piece.range))
      covered.insert(piece.range)
    }
    var given: UInt64 = 0
    for path in ["/boot/Image", "/boot/initrd"] {
      let content = try #require(linux.files[path])
      let segment = try #require(memory.segments.first { $0.bytes == content })
      #expect(covered.contains(range(segment.destination, size: content.count)), "\(path)")
      given += UInt64(content.count)
    }
    let tree = try #require(
      memory.segments.first { $0.bytes.starts(with: [0xd0, 0x0d, 0xfe, 0xed]) })
    #expect(covered.contains(range(tree.destination, size: tree.bytes.count)))
    #expect(covered.size == given + UInt64(tree.bytes.count))
  }

  @Test(arguments: [[], ["--no-checks"]])
  func `Each piece's digest is that of the bytes that will lie there`(options: [String]) throws {
    let memory = try loaded(options).memory
    for piece in try pieces(of: memory) {
      let bytes = memory.bytes(at: piece.range.start.rawValue, count: Int(piece.range.size))
      // Sound: the elements are bytes, so that there is no padding among them.
      #expect(SHA256.digest(of: unsafe bytes.span.bytes, using: .portable) == piece.digest)
    }
  }

  @Test func `Without checks 64 pages are sampled, some of each segment`() throws {
    let memory = try loaded(["-i"]) {
      $0.files["/boot/Image"] = FakeLinux.kernelImage + [UInt8](repeating: 7, count: 0x18_0000)
    }.memory
    let pieces = try pieces(of: memory)
    #expect(pieces.count == 64)
    #expect(pieces.allSatisfy { $0.range.size <= 4096 })
    for role in [SegmentRole.kernel, .initrd, .deviceTree] {
      #expect(pieces.contains { $0.role == role }, "\(role.name)")
    }
  }

  @Test(arguments: [([], false), (["--on-failure=reset"], false), (["--on-failure=halt"], true)])
  func `Both copies of the lifeline say how to report and what to do after a failure`(
    options: [String], halts: Bool
  ) throws {
    let memory = try loaded(options).memory
    let expected = Lifeline(
      console: .pl011(PhysicalAddress(0x900_0000)), conduit: .smc, haltsOnFailure: halts)
    #expect(try lifelines(in: memory) == [expected, expected])
  }

  @Test func `A machine without console and PSCI has a lifeline that is silent and halts`() throws {
    let memory = try loaded(["--on-failure=halt"]) {
      var tree = FakeLinux.tree()
      let chosen = try #require(tree.node(at: "/chosen"))
      tree.removeProperty("stdout-path", of: chosen)
      tree.removeNode(try #require(tree.node(at: "/psci")))
      $0.files["/sys/firmware/fdt"] = try tree.serialized()
    }.memory
    let expected = Lifeline(console: .none, conduit: .none, haltsOnFailure: true)
    #expect(try lifelines(in: memory) == [expected, expected])
  }

  @Test(arguments: [(27, true, false), (30, true, true), (26, true, false), (1, true, true)])
  func
    `Tables are those of the level at which the stage is entered, of both kinds where either may be`(
      interrupt: Int, hasEL1Layout: Bool, hasEL2Layout: Bool
    ) throws
  {
    let (memory, linux) = try loaded {
      $0.files["/proc/interrupts"] = Array(
        "11: 1 GICv3 \(interrupt) Level arch_timer\n".utf8)
    }
    let content = try #require(linux.files["/boot/Image"])
    let kernel = try #require(memory.segments.first { $0.bytes == content })
    let regimes: [(TranslationRegime, Bool)] = [
      (.el1, hasEL1Layout), (.el2Host, hasEL1Layout), (.el2, hasEL2Layout),
    ]
    try memory.withBlock { block in
      for (regime, isThere) in regimes {
        let layout = regime == .el2 ? block.header.el2_layout : block.header.el1_layout
        #expect((layout.root != 0) == isThere, "\(regime)")
        guard isThere else { continue }
        // PARange 5: a CPU with 48 bits of physical address.
        let walker = try TableWalker(
          regime: regime, tcr: regime.tcr(layout.tcr, mmfr0: 5), mair: layout.mair,
          ttbr0: layout.root, memory: memory)
        func require(_ offset: UInt64, _ size: UInt64, _ kind: MemoryKind) throws {
          try walker.requireIdentity(
            of: range(memory.entry + offset, size: Int(size)), as: kind)
        }
        let stage = memory.stage
        try require(stage.code.offset, stage.code.memorySize, .code)
        try require(stage.constants.offset, stage.constants.memorySize, .readOnlyData)
        try require(stage.writable.offset, stage.writable.memorySize, .data)
        try require(stage.blockOffset, UInt64(block.header.size), .readOnlyData)
        try walker.requireIdentity(
          of: range(kernel.destination, size: content.count), as: .data)
        try walker.requireIdentity(of: range(0x900_0000, size: 0x1000), as: .device)
      }
    }
  }

  @Test(arguments: [4096, 16384, 65536] as [UInt64])
  func `Segments are whole pages of the running kernel, whatever their size`(
    pageSize: UInt64
  ) throws {
    let memory = try loaded { $0.pageSize = pageSize }.memory
    for segment in memory.segments {
      #expect(segment.destination % pageSize == 0)
      #expect(UInt64(segment.memorySize) % pageSize == 0)
    }
    try memory.withBlock { #expect(1 << UInt64($0.header.granule_shift) == pageSize) }
  }

  @Test(arguments: [(0b1000, 0), (0b1010, 12), (0b1100, 14), (0b1110, 16)] as [(UInt8, UInt32)])
  func `The stage is told the page size that the next kernel's header says`(
    flags: UInt8, shift: UInt32
  ) throws {
    let memory = try loaded { $0.files["/boot/Image"]?[24] = flags }.memory
    try memory.withBlock { #expect($0.header.kernel_granule_shift == shift) }
  }

  private func lifelines(in memory: LoadedMemory) throws -> [Lifeline?] {
    let words = memory.words(at: memory.entry, count: 32)
    let own = unsafe words.withUnsafeBytes { bytes in
      // Sound: the words hold the whole header, and the struct has every bit pattern.
      unsafe bytes.loadUnaligned(
        fromByteOffset: Int(STAGE_HEADER_LIFELINE), as: baton_lifeline.self)
    }
    return try memory.withBlock { [Lifeline(own), Lifeline($0.header.lifeline)] }
  }

  private func pieces(of memory: LoadedMemory) throws -> [Piece] {
    try memory.withBlock { block in
      try (0..<block.pieceCount).map { index in
        let piece = block.piece(index)
        // Sound: 32 bytes without padding, copied while the closure runs.
        let bytes = unsafe withUnsafeBytes(of: piece.digest) { unsafe [UInt8]($0) }
        let digest = try #require(unsafe SHA256Digest(bytes.span.bytes))
        return Piece(
          role: try #require(SegmentRole(rawValue: piece.segment)),
          range: range(piece.address, size: Int(piece.size)), digest: digest)
      }
    }
  }
}

private func range(_ start: UInt64, size: Int) -> PhysicalRange {
  PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(start + UInt64(size)))
}
