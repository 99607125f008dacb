import BootDigests
import TestSupport
import Testing

/// The digest as sha256sum prints it.
private func text(_ digest: SHA256Digest) -> String {
  let digits = digest.hexadecimal
  return String(decoding: (0..<64).map { digits[$0] }, as: UTF8.self)
}

extension SHA256 {
  /// Sound throughout: the elements are bytes, so that there is no padding among them.
  fileprivate mutating func update(_ bytes: ArraySlice<UInt8>) {
    update(unsafe bytes.span.bytes)
  }
}

private func sha256(_ bytes: [UInt8]) -> SHA256Digest {
  SHA256.digest(of: unsafe bytes.span.bytes, using: .portable)
}

private func readDigest(_ bytes: [UInt8]) -> SHA256Digest? {
  SHA256Digest(unsafe bytes.span.bytes)
}

struct SHA256Tests {
  @Test(
    "The examples of FIPS 180-4 and NIST have their published digests",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
          + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
      ),
    ])
  func publishedExamples(message: String, digest: String) {
    #expect(text(sha256(Array(message.utf8))) == digest)
  }

  @Test("A million times a, fed in pieces that are no multiple of a block")
  func millionTimesA() {
    let piece = [UInt8](repeating: 0x61, count: 1000)[...]
    var hash = SHA256(using: .portable)
    for _ in 0..<1000 { hash.update(piece) }
    #expect(
      text(hash.finalize()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test("What sha256sum says of 4096 bytes")
  func againstCoreutils() {
    #expect(
      text(sha256(message)) == "276c10c86aa9b9ba5575128554e181e036ac203a3df34143d9d175927312b924")
  }

  @Test("Every length up to 299: the digest of all their digests is what sha256sum says")
  func everyLength() {
    var chain = SHA256(using: .portable)
    for length in 0..<300 {
      let digest = sha256(Array(message[..<length]))
      chain.update((0..<32).map { digest.bytes[$0] }[...])
    }
    #expect(
      text(chain.finalize()) == "5f121816c8b1c6e1c8763521915baa8dc04a6ce103cc425e4da0dc9365d2b36c")
  }

  @Test("However a message is cut, the digest is the same")
  func anyChunking() {
    for seed in 0..<100 as Range<UInt64> {
      var generator = SeededGenerator(seed: seed)
      let start = Int.random(in: 0..<64, using: &generator)
      let end = Int.random(in: start...message.count, using: &generator)
      let whole = message[start..<end]
      var hash = SHA256(using: .portable)
      var rest = whole
      while !rest.isEmpty {
        // Often shorter than a block, sometimes several.
        let bound = Bool.random(using: &generator) ? 70 : 700
        let count = min(rest.count, Int.random(in: 0...bound, using: &generator))
        hash.update(rest.prefix(count))
        rest = rest.dropFirst(count)
      }
      #expect(hash.finalize() == sha256(Array(whole)), "seed \(seed)")
    }
  }

  @Test("A copy continues on its own")
  func copiesAreIndependent() {
    var first = SHA256(using: .portable)
    first.update(message[..<100])
    var second = first
    second.update(message[100...])
    #expect(first.finalize() == sha256(Array(message[..<100])))
    #expect(second.finalize() == sha256(message))
  }

  @Test("Digests that differ in one bit, wherever it is, are not equal")
  func equality() {
    let digest = sha256(message)
    for bit in 0..<256 {
      var bytes = digest.bytes
      bytes[bit / 8] ^= 1 << (bit % 8)
      #expect(SHA256Digest(bytes: bytes) != digest, "bit \(bit)")
    }
  }

  @Test("A digest is read from 32 bytes and from no other number")
  func fromBytes() {
    let digest = sha256([])
    let bytes = (0..<32).map { digest.bytes[$0] }
    #expect(readDigest(bytes) == digest)
    #expect(readDigest(bytes.dropLast()) == nil)
    #expect(readDigest(bytes + [0]) == nil)
  }
}
