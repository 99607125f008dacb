/// A SHA-256 digest: 32 bytes, in the order of FIPS 180-4 (the most significant byte first).
///
/// Equality takes the same time wherever the digests differ, but that is no promise: a digest
/// detects corruption here, not forgery.
public struct SHA256Digest: Sendable {
  /// The 32 bytes.
  public let bytes: InlineArray<32, UInt8>

  @inlinable
  public init(bytes: InlineArray<32, UInt8>) {
    self.bytes = bytes
  }

  /// The digest stored in `bytes`, or nil where they are not 32.
  public init?(_ bytes: RawSpan) {
    guard bytes.byteCount == 32 else { return nil }
    // Sound: the offset is below 32, and a byte has every bit pattern and no alignment.
    self.bytes = InlineArray { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
  }
}

extension SHA256Digest: Equatable {
  public static func == (a: SHA256Digest, b: SHA256Digest) -> Bool {
    var difference: UInt8 = 0
    for index in 0..<32 { difference |= a.bytes[index] ^ b.bytes[index] }
    return difference == 0
  }
}

extension SHA256Digest {
  /// The digest as sha256sum prints it: 64 lower-case hexadecimal digits, as ASCII codes.
  public var hexadecimal: InlineArray<64, UInt8> {
    InlineArray { index in
      let byte = bytes[index >> 1]
      let digit = index & 1 == 0 ? byte >> 4 : byte & 15
      return digit < 10 ? 0x30 + digit : 0x57 + digit
    }
  }
}
