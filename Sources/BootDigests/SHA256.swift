#if arch(arm64)
  import CBatonArm64
#endif

/// SHA-256 (FIPS 180-4), fed piece by piece.
///
/// A plain value without heap: it works on bare metal, and a copy continues on its own.
///
///     var hash = SHA256(using: .portable)
///     hash.update(header)
///     hash.update(body)
///     let digest = hash.finalize()
public struct SHA256: Sendable {
  /// How blocks are compressed. The caller chooses, because what finds a CPU's features differs:
  /// HWCAP_SHA2 for a program under Linux, ID_AA64ISAR0_EL1.SHA2 on bare metal.
  public enum Implementation: Sendable, Hashable {
    /// Swift on general registers: works on every CPU, with SIMD disabled too.
    case portable
    #if arch(arm64)
      /// The instructions of FEAT_SHA256. SIMD must be enabled, and memory be Normal (MMU on).
      case armv8
    #endif
  }

  @usableFromInline static var blockSize: Int { 64 }

  /// The hash value H(i): a to h.
  var state: InlineArray<8, UInt32>
  /// The bytes of the last block, where it is not complete: the first `length % 64` count.
  private var pending: InlineArray<64, UInt8>
  /// The bytes taken so far.
  private var length: UInt64
  private let implementation: Implementation

  public init(using implementation: Implementation) {
    state = [
      0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
      0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    pending = InlineArray(repeating: 0)
    length = 0
    self.implementation = implementation
  }

  /// The digest of `bytes` in one call.
  public static func digest(
    of bytes: RawSpan, using implementation: Implementation
  ) -> SHA256Digest {
    var hash = SHA256(using: implementation)
    hash.update(bytes)
    return hash.finalize()
  }

  /// Takes `bytes`, of any number and at any address, as the message's next ones. Whole blocks are
  /// compressed where they lie; only what is left of one is copied.
  public mutating func update(_ bytes: RawSpan) {
    var rest = bytes
    let filled = Int(truncatingIfNeeded: length) & (Self.blockSize - 1)
    length &+= UInt64(truncatingIfNeeded: bytes.byteCount)
    if filled > 0 {
      let taken = min(Self.blockSize - filled, rest.byteCount)
      store(rest.extracting(first: taken), at: filled)
      guard filled + taken == Self.blockSize else { return }
      rest = rest.extracting(droppingFirst: taken)
      compressPending()
    }
    let tail = rest.byteCount & (Self.blockSize - 1)
    if rest.byteCount > tail { compress(rest.extracting(droppingLast: tail)) }
    store(rest.extracting(last: tail), at: 0)
  }

  /// The digest of everything taken.
  public consuming func finalize() -> SHA256Digest {
    // FIPS 180-4, 5.1.1: a one bit, zeros, and the length in bits as 64 big-endian bits.
    let bitLength = length &* 8
    var filled = Int(truncatingIfNeeded: length) & (Self.blockSize - 1)
    pending[filled] = 0x80
    filled += 1
    if filled > 56 {
      for index in filled..<64 { pending[index] = 0 }
      compressPending()
      filled = 0
    }
    for index in filled..<56 { pending[index] = 0 }
    for index in 0..<8 {
      pending[56 + index] = UInt8(truncatingIfNeeded: bitLength >> UInt64(56 - 8 * index))
    }
    compressPending()
    let state = state
    return SHA256Digest(
      bytes: InlineArray { index in
        UInt8(truncatingIfNeeded: state[index >> 2] >> UInt32(24 - 8 * (index & 3)))
      })
  }

  /// Copies `bytes` into the pending block from `position` on; they fit.
  private mutating func store(_ bytes: RawSpan, at position: Int) {
    for index in 0..<bytes.byteCount {
      // Sound: the offset is below `byteCount`, and a byte has every bit pattern.
      pending[position + index] = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
    }
  }

  private mutating func compressPending() {
    let block = pending
    // Sound: the elements are bytes, so that there is no padding among them.
    compress(unsafe block.span.bytes)
  }

  /// Compresses `blocks`, a multiple of 64 bytes.
  private mutating func compress(_ blocks: RawSpan) {
    switch implementation {
    case .portable:
      compressPortably(blocks)
    #if arch(arm64)
      case .armv8:
        var words = state.mutableSpan
        unsafe words.withUnsafeMutableBufferPointer { words in
          unsafe blocks.withUnsafeBytes { bytes in
            // Sound: eight words and `byteCount` bytes are what the function touches; both
            // pointers live through the call.
            unsafe baton_sha256_blocks_armv8(
              words.baseAddress, bytes.baseAddress, bytes.count / Self.blockSize)
          }
        }
    #endif
    }
  }
}
