import LinuxHost
import TestSupport
import Testing

/// Decompression of gzip files, which are untrusted.
@Suite struct GzipTests {
  /// `printf 'Baton hands an arm64 machine over, caches on.%.0s' $(seq 40) | gzip -9n`: from
  /// gzip(1), not from the library that is tested.
  private static let compressed: [UInt8] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x73, 0x4a,
    0x2c, 0xc9, 0xcf, 0x53, 0xc8, 0x48, 0xcc, 0x4b, 0x29, 0x56, 0x48, 0xcc,
    0x53, 0x48, 0x2c, 0xca, 0x35, 0x33, 0x51, 0xc8, 0x4d, 0x4c, 0xce, 0xc8,
    0xcc, 0x4b, 0x55, 0xc8, 0x2f, 0x4b, 0x2d, 0xd2, 0x51, 0x48, 0x06, 0xf2,
    0x52, 0x8b, 0x15, 0xf2, 0xf3, 0xf4, 0x9c, 0x46, 0x15, 0x8f, 0x2a, 0x1e,
    0x55, 0x3c, 0xaa, 0x78, 0x54, 0xf1, 0xa8, 0xe2, 0xe1, 0xa5, 0x18, 0x00,
    0xaa, 0xbd, 0x8c, 0x07, 0x08, 0x07, 0x00, 0x00,
  ]
  private static let content = [UInt8](
    String(repeating: "Baton hands an arm64 machine over, caches on.", count: 40).utf8)

  @Test func `What gzip compressed comes out as it was`() throws {
    let file = try decompress(Self.compressed, limit: UInt64(Self.content.count))
    #expect(content(of: file) == Self.content)
  }

  @Test func `More than the limit is refused before memory is taken`() {
    #expect(throws: DecompressionError.tooLarge(size: 1800, limit: 1799)) {
      _ = try decompress(Self.compressed, limit: 1799)
    }
  }

  @Test func `A file that was cut anywhere is refused`() {
    for count in 0..<Self.compressed.count {
      #expect(throws: DecompressionError.self, "cut to \(count)") {
        _ = try decompress(Array(Self.compressed[..<count]))
      }
    }
  }

  @Test func `Data that ends early though the trailer stands is truncated`() {
    let cut = Self.compressed[..<30] + Self.compressed.suffix(4)
    #expect(throws: DecompressionError.truncated) { _ = try decompress(Array(cut)) }
  }

  @Test func `A wrong checksum is damage`() {
    var bytes = Self.compressed
    bytes[bytes.count - 8] ^= 1
    #expect(throws: DecompressionError.damaged) { _ = try decompress(bytes) }
  }

  @Test(arguments: [
    (1801, "more than there is"), (1799, "less"), (0, "nothing"), (0x7fff_ffff, "a bomb"),
  ])
  func `A trailer that lies about the size is refused`(size: Int, what: String) {
    var bytes = Self.compressed
    for index in 0..<4 {
      bytes[bytes.count - 4 + index] = UInt8(truncatingIfNeeded: size >> (8 * index))
    }
    #expect(throws: DecompressionError.self) { _ = try decompress(bytes) }
  }

  @Test func `What is appended is refused`() {
    let size = Self.compressed.suffix(4)
    #expect(throws: DecompressionError.wrongSize) {
      _ = try decompress(Self.compressed + [0, 0, 0, 0] + Array(size))
    }
    #expect(throws: DecompressionError.wrongSize) {
      _ = try decompress(Self.compressed + Self.compressed)
    }
  }

  @Test func `A flipped bit never changes the content unnoticed, and none traps`() {
    var generator = SeededGenerator(seed: 0x6a1f)
    for _ in 0..<2000 {
      var bytes = Self.compressed
      // The first bytes hold a flag, a time and a system that nobody checks.
      let index = Int.random(in: 10..<bytes.count, using: &generator)
      bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      // Repetitive content has other ways to be said: an error, or the very same.
      if let file = try? decompress(bytes) {
        #expect(content(of: file) == Self.content, "byte \(index)")
      }
    }
  }

  private func decompress(
    _ bytes: [UInt8], limit: UInt64 = 1 << 20
  ) throws(DecompressionError) -> MappedFile {
    // Sound: bytes of an array of integers.
    return try unsafe MappedFile.decompressing(bytes.span.bytes, as: .gzip, limit: limit)
  }

  private func content(of file: borrowing MappedFile) -> [UInt8] {
    // Sound: the buffer is read within the call that lends it.
    file.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
  }
}
