/// SHA-1 (FIPS 180-4), which image files still carry: it detects accidents, not intent.
public struct SHA1: BlockHash {
  static var blockSize: Int { 64 }
  static var lengthSize: Int { 8 }
  static var hasBigEndianLength: Bool { true }

  private var state: InlineArray<5, UInt32> = [
    0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0,
  ]

  /// The digest of `message`, most significant byte first.
  ///
  /// - Parameter taken: told of the number of bytes that are taken, once in each mebibyte.
  public static func digest(
    of message: RawSpan, taken: (Int) -> Void = { _ in }
  ) -> InlineArray<20, UInt8> {
    var hash = SHA1()
    hash.absorb(message, taken: taken)
    let state = hash.state
    return InlineArray { UInt8(truncatingIfNeeded: state[$0 >> 2] >> UInt32(24 - 8 * ($0 & 3))) }
  }

  mutating func compress(_ bytes: RawSpan, at offset: Int) {
    // The schedule is a ring of 16 words.
    var w = InlineArray<16, UInt32>(repeating: 0)
    for index in 0..<16 {
      w[index] = UInt32(bigEndian: Self.word(bytes, at: offset + 4 * index, as: UInt32.self))
    }
    var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
    for t in 0..<80 {
      let s = t & 15
      if t >= 16 {
        let x = w[(s + 13) & 15] ^ w[(s + 8) & 15] ^ w[(s + 2) & 15] ^ w[s]
        w[s] = (x << 1) | (x >> 31)
      }
      let mix: UInt32
      let constant: UInt32
      switch t / 20 {
      case 0: (mix, constant) = (b & c | ~b & d, 0x5a82_7999)
      case 1: (mix, constant) = (b ^ c ^ d, 0x6ed9_eba1)
      case 2: (mix, constant) = (b & c | b & d | c & d, 0x8f1b_bcdc)
      default: (mix, constant) = (b ^ c ^ d, 0xca62_c1d6)
      }
      let sum = ((a << 5) | (a >> 27)) &+ mix &+ e &+ constant &+ w[s]
      (e, d, c, b, a) = (d, c, (b << 30) | (b >> 2), a, sum)
    }
    state[0] &+= a
    state[1] &+= b
    state[2] &+= c
    state[3] &+= d
    state[4] &+= e
  }
}
