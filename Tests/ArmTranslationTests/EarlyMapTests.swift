import PhysicalMemory
import Testing

@testable import ArmTranslation

@Suite("The map before there is a heap")
struct EarlyMapTests {
  /// The pool as the walker reads it.
  private struct Pool: TableMemory {
    let address: PhysicalAddress
    let words: [UInt64]

    func word(at address: PhysicalAddress) -> UInt64? {
      guard address >= self.address else { return nil }
      let index = Int((address - self.address) / 8)
      return index < words.count ? words[index] : nil
    }
  }

  private let base = PhysicalAddress(0x100_4020_0000)

  private func range(_ start: UInt64, _ size: UInt64) -> PhysicalRange {
    PhysicalRange(base + start, upTo: base + start + size)
  }

  @Test(
    "Each part is mapped to itself as what it is, in every regime, and the rest is not",
    arguments: TranslationRegime.allCases)
  func parts(_ regime: TranslationRegime) throws {
    let parts: [(PhysicalRange, MemoryKind)] = [
      (range(0, 0x9000), .code), (range(0x9000, 0x3000), .readOnlyData),
      (range(0xD000, 0x50_0000), .data), (range(0x4000_0000, 0x1_1234), .readOnlyData),
    ]
    var words = [UInt64](repeating: .max, count: 16 * 512)
    let control = unsafe words.withUnsafeMutableBufferPointer { words in
      var map = unsafe EarlyMap(
        regime: regime, pool: words.baseAddress!, at: PhysicalAddress(0x8000_0000), pageCount: 16)
      for (range, kind) in parts {
        let isMapped = map.map(range, as: kind)
        #expect(isMapped)
      }
      // What is there stays as it is.
      let isMapped = map.map(range(0, 0x20_0000), as: .data)
      #expect(isMapped)
      return map.control
    }
    let walker = try TableWalker(
      regime: regime, tcr: regime.tcr(control.tcr, mmfr0: 5), mair: control.mair,
      ttbr0: 0x8000_0000, memory: Pool(address: PhysicalAddress(0x8000_0000), words: words))
    for (range, kind) in parts { try walker.requireIdentity(of: range, as: kind) }
    #expect(throws: TranslationFault.self) {
      _ = try walker.translate(VirtualAddress(identityOf: base + 0x80_0000))
    }
  }

  @Test("Too few pages are noticed")
  func tooFewPages() {
    var words = [UInt64](repeating: 0, count: 3 * 512)
    unsafe words.withUnsafeMutableBufferPointer { words in
      var map = unsafe EarlyMap(
        regime: .el1, pool: words.baseAddress!, at: PhysicalAddress(0x8000_0000), pageCount: 3)
      let isMapped = map.map(range(0, 4096), as: .data)
      #expect(!isMapped)
    }
  }
}
