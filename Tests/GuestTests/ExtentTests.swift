import KexecRelocation
import Lab
import PhysicalMemory
import TestSupport
import Testing

/// The stage moves what has to be moved, MMU and caches on, before it verifies. No plan that
/// `baton -l` makes for a kernel that relocates by itself has an extent, so the tests write one
/// into a block that has been loaded: what it moves starts elsewhere, and its place is empty.
@Suite struct ExtentTests {
  @Test func theStageMovesExtentsBeforeItVerifies() async throws {
    try await withMove { snapshot, extent in
      let run = try await snapshot.run { stub in
        try Self.displace(extent, snapshot, stub, listed: true)
      }
      #expect(run.end == .poweredOff, "\(run.lastLines)")
      #expect(
        run.lines.contains { $0.hasPrefix("baton: ") && $0.contains("\(extent.size)") },
        "no word of \(extent.size) bytes moved: \(run.lines.prefix(3))")
    }
  }

  /// The counter-test: the move is what brings the next kernel up.
  @Test func withoutItsExtentTheHandoffIsRefused() async throws {
    try await withMove { snapshot, extent in
      let run = try await snapshot.run { stub in
        try Self.displace(extent, snapshot, stub, listed: false)
      }
      #expect(run.end == .reset, "\(run.lastLines)")
      #expect(run.lines.contains { $0.hasPrefix("baton: ") && $0.contains("kernel") })
    }
  }

  /// Digests are of what lies at the destination, not of what the loader left at the source.
  @Test func whatWasMovedIsVerified() async throws {
    try await withMove { snapshot, extent in
      var generator = SeededGenerator(seed: 0xBA70_0003)
      let offset = UInt64.random(in: 0..<extent.size, using: &generator)
      let run = try await snapshot.run { stub in
        try Self.displace(extent, snapshot, stub, listed: true)
        var byte = try stub.read(extent.source.start + offset, count: 1)
        byte[0] ^= 1
        try stub.write(byte, to: extent.source.start + offset)
      }
      #expect(run.end == .reset, "byte \(offset): \(run.lastLines)")
      #expect(run.lines.contains { $0.hasPrefix("baton: ") && $0.contains("kernel") })
    }
  }

  /// A guest at the stage's entry, and a move that its tables allow.
  private func withMove(
    _ body: @Sendable (StageSnapshot, Extent) async throws -> Void
  ) async throws {
    let workspace = Workspace()
    let handoff = try Handoff(debian: "6.1", in: workspace)
    try await GuestSlots.shared.withGuest {
      try await HostFile.withTemporaryDirectory { directory in
        let snapshot = try await StageSnapshot(of: handoff, in: directory, workspace)
        try await body(snapshot, try #require(snapshot.spareMove(size: 32 << 10)))
      }
    }
  }

  /// Puts what belongs to the extent's destination at its source, and nothing at the destination.
  static func displace(
    _ extent: Extent, _ snapshot: StageSnapshot, _ stub: DebugStub, listed: Bool
  ) throws {
    try stub.writeAll(try stub.read(extent.destination), to: extent.source.start)
    try stub.writeAll(Array(repeating: 0, count: Int(extent.size)), to: extent.destination.start)
    var stage = try StageInMemory(stub, snapshot.listing)
    if listed { try stage.add([extent]) }
    try stage.store()
  }
}

extension StageSnapshot {
  /// A move of the kernel's first `size` bytes, from memory that nothing was loaded into and that
  /// the stage nevertheless maps: it maps the whole 2 MiB blocks that hold what was loaded.
  func spareMove(size: UInt64) -> Extent? {
    guard let kernel = listing.ranges[.kernel], let stage = listing.ranges[.stage],
      let tables = listing.ranges[.tables]
    else { return nil }
    let block: UInt64 = 2 << 20
    // The stage's sections, its stack among them, lie between what is listed: not mapped as memory.
    let control = PhysicalRange(stage.start, upTo: max(stage.end, tables.end))
    for piece in [PlanListing.Piece.dtb, .initrd, .kernel] {
      guard let range = listing.ranges[piece] else { continue }
      var start = (range.end + 0xffff).alignedDown(to: 0x10000)
      let end = (range.end + (block - 1)).alignedDown(to: block)
      while start + size <= end {
        let spare = PhysicalRange(start, upTo: start + size)
        if !control.overlaps(spare), !listing.ranges.values.contains(where: spare.overlaps) {
          return Extent(source: start, destination: kernel.start, size: size)
        }
        start = start + 0x10000
      }
    }
    return nil
  }
}
