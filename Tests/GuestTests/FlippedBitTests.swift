import Lab
import PhysicalMemory
import TestSupport
import Testing

/// What was loaded is changed by one bit, before the stage's first instruction: the stage says so,
/// on one line, and resets the machine. The bit is flipped from outside, in the memory of a guest
/// that has been stopped; the product knows nothing about it.
@Suite struct FlippedBitTests {
  private static let seed: UInt64 = 0xBA70_0002

  @Test func everyFlippedBitEndsInAMessageAndAReset() async throws {
    let workspace = Workspace()
    let handoff = try Handoff(debian: "6.1", in: workspace)
    try await HostFile.withTemporaryDirectory { directory in
      let snapshot = try await GuestSlots.shared.withGuest {
        try await StageSnapshot(of: handoff, in: directory, workspace)
      }
      #expect(snapshot.level == 2)
      let bits = try await bits(in: snapshot, directory, workspace)
      #expect(bits.count == 20)
      await withTaskGroup(of: Void.self) { group in
        for (piece, bit) in bits {
          group.addTask {
            do {
              let run = try await GuestSlots.shared.withGuest {
                try await snapshot.run(flipping: bit)
              }
              Self.expectMessageAndReset(run, piece, bit)
            } catch {
              Issue.record(error, "\(piece), \(bit), seed \(Self.seed)")
            }
          }
        }
      }
    }
  }

  private static func expectMessageAndReset(
    _ run: GuestRun, _ piece: PlanListing.Piece, _ bit: StageSnapshot.Bit
  ) {
    let comment: Comment = "\(piece), \(bit), seed \(seed); console: \(run.lastLines)"
    #expect(run.end == .reset, comment)
    let messages = run.lines.filter { !$0.isEmpty }
    #expect(messages.count == 1, comment)
    guard let message = messages.first else { return }
    #expect(message.hasPrefix("baton: "), comment)
    let addresses = message.split { !$0.isHexDigit && $0 != "x" }.compactMap {
      $0.hasPrefix("0x") ? UInt64($0.dropFirst(2), radix: 16) : nil
    }
    switch piece {
    case .kernel, .initrd, .dtb:
      // What, and the piece of it that the bit lies in.
      #expect(message.contains(piece.rawValue), comment)
      #expect(addresses.count >= 2, comment)
      if addresses.count >= 2 {
        #expect(addresses[0] <= bit.address.rawValue, comment)
        #expect(bit.address.rawValue < addresses[1], comment)
      }
    case .stage, .tables, .block:
      // One checksum covers the three; a block may be refused for its fields before that.
      #expect(!addresses.isEmpty, comment)
    }
  }

  /// Twenty bits: in everything that is digested, in what the block's checksum covers, and in code
  /// of the stage that has yet to run.
  private func bits(
    in snapshot: StageSnapshot, _ directory: String, _ workspace: Workspace
  ) async throws -> [(PlanListing.Piece, StageSnapshot.Bit)] {
    var generator = SeededGenerator(seed: Self.seed)
    var bits: [(PlanListing.Piece, StageSnapshot.Bit)] = []
    let shares: [(PlanListing.Piece, Int)] = [
      (.kernel, 5), (.initrd, 4), (.dtb, 3), (.tables, 3), (.block, 3),
    ]
    for (piece, count) in shares {
      let range = try #require(snapshot.listing.ranges[piece], "no line for \(piece)")
      for _ in 0..<count {
        let offset = UInt64.random(in: 0..<range.size, using: &generator)
        bits.append(
          (piece, .init(range.start + offset, index: .random(in: 0..<8, using: &generator))))
      }
    }
    let block = try #require(bits.last?.1)
    let code = try await codeYetToRun(snapshot, failing: block, directory, workspace)
    for _ in 0..<2 {
      let address = try #require(code.randomElement(using: &generator))
      bits.append(
        (.stage, .init(PhysicalAddress(address), index: .random(in: 0..<8, using: &generator))))
    }
    return bits
  }

  /// Instructions of the stage that run when all is well, but neither before the stage has checked
  /// itself nor while it reports a failure.
  private func codeYetToRun(
    _ snapshot: StageSnapshot, failing bit: StageSnapshot.Bit, _ directory: String,
    _ workspace: Workspace
  ) async throws -> [UInt64] {
    let library = try workspace.plugin()
    let stage = try workspace.stage()
    func log(_ name: String, flipping bit: StageSnapshot.Bit?) async throws -> EventLog {
      let path = directory + "/" + name
      let run = try await GuestSlots.shared.withGuest {
        try await snapshot.run(
          flipping: bit, plugin: .init(library: library, log: path, stage: stage))
      }
      // Without a flipped bit the saved guest must come up: otherwise the flips prove nothing.
      #expect(run.end == (bit == nil ? .poweredOff : .reset), "\(run.lastLines)")
      return try EventLog(HostFile.text(of: path))
    }
    let well = StageCode(try await log("well", flipping: nil))
    let failed = StageCode(try await log("failed", flipping: bit))
    return well.afterTranslation.subtracting(well.beforeTranslation)
      .subtracting(failed.beforeTranslation).subtracting(failed.afterTranslation).sorted()
  }
}
