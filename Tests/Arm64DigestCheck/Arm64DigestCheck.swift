// The ARMv8 form of SHA-256 against the portable one, on an arm64 CPU: an arm64 Linux program
// without C library that BootDigestsTests run under qemu-aarch64.
import BootDigests
import CArm64DigestCheck

/// The same bytes as TestSupport's SeededGenerator gives, in words (SplitMix64).
private struct Words {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

private func write(_ bytes: RawSpan) {
  unsafe bytes.withUnsafeBytes { bytes in
    // Sound: the system call reads the `count` bytes that the span lends.
    _ = unsafe check_write(bytes.baseAddress, bytes.count)
  }
}

/// Ends with 0 and, on standard output, the digest of the digests of all lengths below 300; or
/// with a status that says which comparison failed.
@c(arm64_digest_check) @used
func arm64DigestCheck() -> Int32 {
  var words = Words(state: 1)
  var message = InlineArray<512, UInt64>(repeating: 0)
  for index in 0..<512 { message[index] = words.next() }
  // Sound: 64-bit words have no padding.
  let bytes = unsafe message.span.bytes

  var chain = SHA256(using: .armv8)
  for length in 0..<300 {
    let digest = SHA256.digest(of: bytes.extracting(first: length), using: .armv8)
    let digestBytes = digest.bytes
    // Sound: the elements are bytes, so that there is no padding among them.
    chain.update(unsafe digestBytes.span.bytes)
    guard digest == SHA256.digest(of: bytes.extracting(first: length), using: .portable) else {
      return 1
    }
  }
  // Any alignment and any number of blocks, cut in two at any place.
  for _ in 0..<2000 {
    let part = bytes.extracting(droppingFirst: Int(words.next() & 63))
      .extracting(first: Int(words.next() & 2047))
    let cut = Int(words.next() % UInt64(part.byteCount + 1))
    var hash = SHA256(using: .armv8)
    hash.update(part.extracting(first: cut))
    hash.update(part.extracting(droppingFirst: cut))
    guard hash.finalize() == SHA256.digest(of: part, using: .portable) else { return 2 }
  }
  let digits = chain.finalize().hexadecimal
  // Sound: as above.
  write(unsafe digits.span.bytes)
  return 0
}
