import ArmTranslation
import CBatonArm64
import PhysicalMemory
import TestSupport
import Testing

@testable import KexecRelocation

/// The stage's checks, run on the host over what a plan loads.
@Suite("What lies in memory at the stage's entry")
struct LoadedHandoffTests {
  private static let seed: UInt64 = 0xBA70_0003

  @Test("What was loaded as it was planned is started")
  func untouched() throws {
    let machine = try SimulatedMachine()
    #expect(try machine.run() == 12_288 + 8_000 + 4_000)
    #expect(machine.foundLifeline == machine.lifeline)
  }

  @Test("Each of 1,000 flipped bits is found, and there is a console to say so")
  func flippedBits() throws {
    var generator = SeededGenerator(seed: Self.seed)
    let machine = try SimulatedMachine()
    let memory = machine.memory
    for round in 0..<1000 {
      let segment = round % memory.count
      let bit = Int.random(in: 0..<(8 * memory.byteCount(segment)), using: &generator)
      memory.flip(bit, of: segment)
      let comment: Comment =
        "seed \(Self.seed), round \(round): bit \(bit) of \(memory.name(segment))"
      #expect(throws: SimulatedMachine.Failure.self, comment) { try machine.run() }
      #expect(machine.foundLifeline == machine.lifeline, comment)
      memory.flip(bit, of: segment)
    }
    #expect(throws: Never.self) { try machine.run() }
  }

  @Test("A block that was broken before its checksum was made traps nothing and reads nothing else")
  func brokenBlocks() throws {
    var generator = SeededGenerator(seed: Self.seed)
    let machine = try SimulatedMachine()
    let memory = machine.memory
    let block = try #require((0..<memory.count).first { memory.name($0) == "block" })
    for _ in 0..<1000 {
      // What is outside of the simulated memory is nil there, and a trap ends the test.
      let bits = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
        Int.random(in: 0..<(8 * memory.byteCount(block)), using: &generator)
      }
      for bit in bits { memory.flip(bit, of: block) }
      let saved = memory.words(of: "block")[Int(BATON_BLOCK_CHECKSUM_OFFSET) / 8]
      machine.fixChecksum()
      _ = try? machine.run()
      memory.set(saved, word: Int(BATON_BLOCK_CHECKSUM_OFFSET) / 8, of: "block")
      for bit in bits.reversed() { memory.flip(bit, of: block) }
    }
    #expect(throws: Never.self) { try machine.run() }
  }

  @Test("A record is left inside the device tree or nowhere")
  func record() throws {
    let machine = try SimulatedMachine()
    let tree = machine.layout.placement.deviceTree
    let field = MemoryLayout<baton_handoff_block>.offset(of: \.record)
    let word = try #require(field) / 8
    let size = UInt64(MemoryLayout<baton_handoff_record>.size)
    for address in [tree.start, tree.start + 4, tree.start + (tree.size - size)] {
      machine.memory.set(address.rawValue, word: word, of: "block")
      machine.fixChecksum()
      #expect(throws: Never.self, "\(address)") { try machine.run() }
    }
    let outside: [UInt64] = [
      tree.start.rawValue - 4, tree.start.rawValue + 2, tree.end.rawValue - size + 4,
      tree.end.rawValue, machine.layout.placement.kernel.start.rawValue, 8, .max - 3,
    ]
    for address in outside {
      machine.memory.set(address, word: word, of: "block")
      machine.fixChecksum()
      #expect(throws: SimulatedMachine.Failure.block(.badRecord(address))) { try machine.run() }
    }
  }

  @Test("Tables that do not map what the stage runs on are refused before they are used")
  func brokenTables() throws {
    let machine = try SimulatedMachine()
    let pages: [(String, PhysicalAddress)] = [
      ("code", machine.layout.stageEntry),
      ("constants", machine.layout.stageEntry + 0x10000),
      ("stack", machine.layout.stageEntry + 0x21000),
      ("block", machine.layout.blockAddress),
      ("console", PhysicalAddress(0x900_0000)),
    ]
    for (name, address) in pages {
      let words = machine.memory.words(of: "tables")
      let entry = try #require(
        words.firstIndex { $0 & 3 == 3 && $0 & 0xFFFF_FFFF_F000 == address.rawValue }, "\(name)")
      let damages: [(String, (UInt64) -> UInt64)] = [
        ("not there", { $0 & ~1 }), ("elsewhere", { $0 ^ 0x1000 }),
        ("no access flag", { $0 & ~(1 << 10) }), ("permissions", { $0 ^ 1 << 7 }),
        ("execution", { $0 ^ 1 << 54 }), ("memory type", { $0 ^ 1 << 2 }),
      ]
      for (what, damage) in damages {
        machine.memory.set(damage(words[entry]), word: entry, of: "tables")
        machine.fixChecksum()
        do {
          _ = try machine.run()
          Issue.record("\(name), \(what): accepted")
        } catch {
          guard case .translation = error else {
            Issue.record("\(name), \(what): \(error)")
            continue
          }
        }
        machine.memory.set(words[entry], word: entry, of: "tables")
      }
    }
    machine.fixChecksum()
    #expect(throws: Never.self) { try machine.run() }
  }
}
