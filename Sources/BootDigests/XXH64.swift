/// XXH64 (xxHash, the 64-bit variant, seed 0) over 64-bit words, fed range by range.
///
/// It covers the handoff block, and that is checked with the MMU and the caches off, when
/// every data access goes to memory: so it reads naturally aligned words, each of them once,
/// works on general registers, and keeps its state out of memory while it goes through a range.
/// A message is a whole number of 8-byte words in little-endian order; for such messages the
/// result is what `xxh64sum` prints. It detects corruption, not forgery.
///
/// Specification: github.com/Cyan4973/xxHash, doc/xxhash_spec.md, "XXH64 algorithm description".
public struct XXH64: Sendable {
  /// The four lanes; word 4n + i of the message goes to lane i.
  private var lane0: UInt64
  private var lane1: UInt64
  private var lane2: UInt64
  private var lane3: UInt64
  /// The words of a stripe that is not complete: `wordCount` % 4 of them.
  private var pending0: UInt64 = 0
  private var pending1: UInt64 = 0
  private var pending2: UInt64 = 0
  private var wordCount: UInt64 = 0

  private static var prime1: UInt64 { 0x9E37_79B1_85EB_CA87 }
  private static var prime2: UInt64 { 0xC2B2_AE3D_27D4_EB4F }
  private static var prime3: UInt64 { 0x1656_67B1_9E37_79F9 }
  private static var prime4: UInt64 { 0x85EB_CA77_C2B2_AE63 }
  private static var prime5: UInt64 { 0x27D4_EB2F_1656_67C5 }

  public init() {
    lane0 = Self.prime1 &+ Self.prime2
    lane1 = Self.prime2
    lane2 = 0
    lane3 = 0 &- Self.prime1
  }

  /// The hash of `words` in one call.
  public static func hash(of words: Span<UInt64>) -> UInt64 {
    var hash = XXH64()
    hash.update(words)
    return hash.finalize()
  }

  /// Takes `words` as the message's next ones.
  public mutating func update(_ words: Span<UInt64>) {
    var index = 0
    while wordCount & 3 != 0, index < words.count {
      take(words[index])
      index &+= 1
    }
    var (v0, v1, v2, v3) = (lane0, lane1, lane2, lane3)
    let start = index
    let end = index &+ (words.count &- index) & ~3
    while index < end {
      // Sound: `end` is at most `count`, and a whole number of stripes from `index`.
      v0 = Self.round(v0, unsafe words[unchecked: index])
      v1 = Self.round(v1, unsafe words[unchecked: index &+ 1])
      v2 = Self.round(v2, unsafe words[unchecked: index &+ 2])
      v3 = Self.round(v3, unsafe words[unchecked: index &+ 3])
      index &+= 4
    }
    (lane0, lane1, lane2, lane3) = (v0, v1, v2, v3)
    wordCount &+= UInt64(truncatingIfNeeded: index &- start)
    while index < words.count {
      take(words[index])
      index &+= 1
    }
  }

  /// The hash of everything taken.
  public func finalize() -> UInt64 {
    var hash: UInt64
    if wordCount >= 4 {
      hash = Self.rotateLeft(lane0, 1) &+ Self.rotateLeft(lane1, 7)
      hash = hash &+ Self.rotateLeft(lane2, 12) &+ Self.rotateLeft(lane3, 18)
      hash = Self.merge(hash, lane0)
      hash = Self.merge(hash, lane1)
      hash = Self.merge(hash, lane2)
      hash = Self.merge(hash, lane3)
    } else {
      hash = Self.prime5
    }
    hash &+= wordCount &* 8
    let left = wordCount & 3
    if left > 0 { hash = Self.mixTail(hash, pending0) }
    if left > 1 { hash = Self.mixTail(hash, pending1) }
    if left > 2 { hash = Self.mixTail(hash, pending2) }
    hash = (hash ^ hash &>> 33) &* Self.prime2
    hash = (hash ^ hash &>> 29) &* Self.prime3
    return hash ^ hash &>> 32
  }

  /// Takes one word into the stripe that is not complete, and the stripe when it is.
  @inline(__always)
  private mutating func take(_ word: UInt64) {
    switch wordCount & 3 {
    case 0: pending0 = word
    case 1: pending1 = word
    case 2: pending2 = word
    default:
      lane0 = Self.round(lane0, pending0)
      lane1 = Self.round(lane1, pending1)
      lane2 = Self.round(lane2, pending2)
      lane3 = Self.round(lane3, word)
    }
    wordCount &+= 1
  }

  @inline(__always)
  private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
    rotateLeft(lane &+ UInt64(littleEndian: word) &* prime2, 31) &* prime1
  }

  @inline(__always)
  private static func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 {
    (hash ^ round(0, lane)) &* prime1 &+ prime4
  }

  @inline(__always)
  private static func mixTail(_ hash: UInt64, _ word: UInt64) -> UInt64 {
    rotateLeft(hash ^ round(0, word), 27) &* prime1 &+ prime4
  }

  @inline(__always)
  private static func rotateLeft(_ x: UInt64, _ n: UInt64) -> UInt64 {
    (x &<< n) | (x &>> (64 &- n))
  }
}
