/// FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first
/// 64 primes.
private let roundConstants: InlineArray<64, UInt32> = [
  0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
  0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
  0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
  0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
  0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
  0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
  0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
  0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
  0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
  0xc671_78f2,
]

extension SHA256 {
  /// The compression function (FIPS 180-4, 6.2.2) over `blocks`, a multiple of 64 bytes, on general
  /// registers.
  ///
  /// The eight working variables change places by name, eight rounds to a turn of the loop, so that
  /// none of them is ever moved; the schedule is a ring of 16 words.
  mutating func compressPortably(_ blocks: RawSpan) {
    var hash = state
    var w = InlineArray<16, UInt32>(repeating: 0)
    var offset = 0
    while offset < blocks.byteCount {
      for index in 0..<16 {
        // Sound: `byteCount` is a multiple of 64, so that 64 bytes follow `offset`; every bit
        // pattern is a word, and the load is marked as unaligned.
        let word = unsafe blocks.unsafeLoadUnaligned(
          fromByteOffset: offset &+ 4 &* index, as: UInt32.self)
        w[index] = UInt32(bigEndian: word)
      }
      offset &+= 64

      var (a, b, c, d) = (hash[0], hash[1], hash[2], hash[3])
      var (e, f, g, h) = (hash[4], hash[5], hash[6], hash[7])
      var t = 0
      while t < 64 {
        if t >= 16 {
          Self.extend(&w, from: t & 8)
        }
        Self.round(a, b, c, &d, e, f, g, &h, w[t & 8 | 0], roundConstants[t | 0])
        Self.round(h, a, b, &c, d, e, f, &g, w[t & 8 | 1], roundConstants[t | 1])
        Self.round(g, h, a, &b, c, d, e, &f, w[t & 8 | 2], roundConstants[t | 2])
        Self.round(f, g, h, &a, b, c, d, &e, w[t & 8 | 3], roundConstants[t | 3])
        Self.round(e, f, g, &h, a, b, c, &d, w[t & 8 | 4], roundConstants[t | 4])
        Self.round(d, e, f, &g, h, a, b, &c, w[t & 8 | 5], roundConstants[t | 5])
        Self.round(c, d, e, &f, g, h, a, &b, w[t & 8 | 6], roundConstants[t | 6])
        Self.round(b, c, d, &e, f, g, h, &a, w[t & 8 | 7], roundConstants[t | 7])
        t &+= 8
      }
      hash[0] &+= a
      hash[1] &+= b
      hash[2] &+= c
      hash[3] &+= d
      hash[4] &+= e
      hash[5] &+= f
      hash[6] &+= g
      hash[7] &+= h
    }
    state = hash
  }

  /// One round; what the text calls the new a and e arrive in `h` and `d`.
  @inline(__always)
  private static func round(
    _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32,
    _ e: UInt32, _ f: UInt32, _ g: UInt32, _ h: inout UInt32, _ w: UInt32, _ k: UInt32
  ) {
    let sum1 = rotateRight(e, 6) ^ rotateRight(e, 11) ^ rotateRight(e, 25)
    let choice = (e & f) ^ (~e & g)
    let t1 = h &+ sum1 &+ choice &+ k &+ w
    let sum0 = rotateRight(a, 2) ^ rotateRight(a, 13) ^ rotateRight(a, 22)
    let majority = (a & b) ^ (a & c) ^ (b & c)
    d = d &+ t1
    h = t1 &+ sum0 &+ majority
  }

  /// The next eight words of the schedule, in the ring's half that begins at `half` (0 or 8).
  @inline(__always)
  private static func extend(_ w: inout InlineArray<16, UInt32>, from half: Int) {
    for index in half..<half + 8 {
      let w15 = w[(index + 1) & 15]
      let w2 = w[(index + 14) & 15]
      let sigma0 = rotateRight(w15, 7) ^ rotateRight(w15, 18) ^ (w15 >> 3)
      let sigma1 = rotateRight(w2, 17) ^ rotateRight(w2, 19) ^ (w2 >> 10)
      w[index] = w[index] &+ sigma0 &+ w[(index + 9) & 15] &+ sigma1
    }
  }

  @inline(__always)
  private static func rotateRight(_ x: UInt32, _ n: UInt32) -> UInt32 {
    (x &>> n) | (x &<< (32 &- n))
  }
}
