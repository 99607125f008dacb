import BootDigests
import TestSupport
import Testing

/// `message` as 64-bit words, in little-endian order.
private let words: [UInt64] = (0..<512).map { index in
  (0..<8).reversed().reduce(0) { $0 << 8 | UInt64(message[index * 8 + $1]) }
}

private func xxh64(_ words: ArraySlice<UInt64>) -> UInt64 {
  XXH64.hash(of: words.span)
}

struct XXH64Tests {
  @Test(
    "Messages of whole words have the hash that xxh64sum prints",
    arguments: [
      (0, 0xef46_db37_51d8_e999), (8, 0x2621_4623_73c2_9f9b), (16, 0x913f_2217_cb36_b908),
      (24, 0xffa1_e0a9_aa32_5429), (32, 0x443e_82a1_b5ea_9ad5), (40, 0x0b50_f782_0989_8f12),
      (56, 0xb886_cc50_dc0b_bb9e), (64, 0xbfb1_0bab_b3c4_a64e), (96, 0x1dc7_389f_c544_00fb),
      (256, 0x0d7a_78e3_2b92_ddbd), (4096, 0x7092_b975_6423_74ee),
    ] as [(Int, UInt64)])
  func knownHashes(byteCount: Int, hash: UInt64) {
    #expect(xxh64(words[..<(byteCount / 8)]) == hash)
  }

  @Test("Every length up to 99 words: the hash of all their hashes is what xxHash's library says")
  func everyLength() {
    let hashes = (0..<100).map { xxh64(words[..<$0]) }
    #expect(xxh64(hashes[...]) == 0xd7d7_2838_e78d_c181)
  }

  @Test("However a message is cut into ranges, the hash is the same")
  func anyRanges() {
    for seed in 0..<100 as Range<UInt64> {
      var generator = SeededGenerator(seed: seed)
      let whole = words[..<Int.random(in: 0...words.count, using: &generator)]
      var hash = XXH64()
      var rest = whole
      while !rest.isEmpty {
        let bound = Bool.random(using: &generator) ? 5 : 50
        let count = min(rest.count, Int.random(in: 0...bound, using: &generator))
        let range = rest.prefix(count)
        hash.update(range.span)
        rest = rest.dropFirst(count)
      }
      #expect(hash.finalize() == xxh64(whole), "seed \(seed)")
    }
  }

  @Test("One flipped bit anywhere in the message changes the hash")
  func everyBitCounts() {
    var block = Array(words[..<35])
    let hash = xxh64(block[...])
    for bit in 0..<block.count * 64 {
      block[bit / 64] ^= 1 << (bit % 64)
      #expect(xxh64(block[...]) != hash, "bit \(bit)")
      block[bit / 64] ^= 1 << (bit % 64)
    }
  }
}
