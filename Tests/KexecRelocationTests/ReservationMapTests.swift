import Testing

@testable import KexecRelocation

@Suite("Reservations in a flattened device tree")
struct ReservationMapTests {
  /// A header, one entry, and room for `spare` more entries behind the terminator.
  private func tree(spare: Int) -> [UInt64] {
    let structure = UInt64(40 + 16 * (2 + spare))
    var words: [UInt64] = [0xD00D_FEED << 32, structure << 32, 40 << 32, 0, 0, 0x4000_0000, 0x1000]
    words += [UInt64](repeating: 0, count: 2 * (1 + spare))
    words.append(0x1_7265_6164)  // the structure block
    return words.map { $0.bigEndian }
  }

  /// Appends `count` reservations to the tree, as far as there is room.
  ///
  /// - Returns: how many were taken; nil where there is no map.
  private func append(_ count: Int, to words: inout [UInt64]) -> Int? {
    unsafe words.withUnsafeMutableBytes { bytes in
      // Sound: words, and the map stays inside what its header speaks of.
      guard let base = bytes.baseAddress, var map = unsafe ReservationMap(at: base) else {
        return nil
      }
      var taken = 0
      while taken < count, map.append(start: 0x5000_0000, size: UInt64(taken + 1)) { taken += 1 }
      return taken
    }
  }

  @Test("Entries go behind those that are there, as many as there is room for, and no further")
  func append() {
    for spare in 0...3 {
      var words = tree(spare: spare)
      var expected = words
      for index in 0..<spare {
        expected[7 + 2 * index] = UInt64(0x5000_0000).bigEndian
        expected[8 + 2 * index] = UInt64(index + 1).bigEndian
      }
      #expect(append(spare + 1, to: &words) == spare)
      #expect(words == expected)
    }
  }

  @Test("What is no tree, or has no terminator, has no map")
  func broken() {
    for (word, value) in [(0, UInt64(0)), (1, 56 << 32), (2, 44 << 32)] {
      var words = tree(spare: 1)
      words[word] = value.bigEndian
      #expect(append(1, to: &words) == nil)
    }
  }
}
