/// The program headers of a 64-bit little-endian ELF core file (System V ABI, "Program Header"), such as
/// /proc/kcore.
///
///     0  7f 45 4c 46 02 01 …   32  headers' offset   54  header's size   56  count
///
///     each:  0  type   8  offset in the file   16  virtual address   32  size in the file
struct ElfCore {
  struct Part {
    let type: UInt32
    let offset: UInt64
    let address: UInt64
    let size: UInt64
  }

  static var load: UInt32 { 1 }
  static var note: UInt32 { 4 }

  let parts: [Part]

  /// - Parameter bytes: the file's beginning, with all headers; untrusted.
  init?(_ bytes: [UInt8]) {
    guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]), let size = bytes.number(at: 54, 2),
      size >= 56, let count = bytes.number(at: 56, 2),
      let headers = bytes.number(at: 32, 8).flatMap({ Int(exactly: $0) }), headers <= bytes.count
    else { return nil }
    var parts: [Part] = []
    for index in 0..<Int(count) {
      let header = headers + index * Int(size)
      guard let type = bytes.number(at: header, 4), let offset = bytes.number(at: header + 8, 8),
        let address = bytes.number(at: header + 16, 8), let size = bytes.number(at: header + 32, 8)
      else { return nil }
      parts.append(
        Part(
          type: UInt32(truncatingIfNeeded: type), offset: offset, address: address, size: size))
    }
    self.parts = parts
  }
}

extension [UInt8] {
  /// The little-endian number of `size` bytes at `offset`, nil where they are not all there.
  func number(at offset: Int, _ size: Int) -> UInt64? {
    guard offset >= 0, offset <= count - size else { return nil }
    var value: UInt64 = 0
    for byte in self[offset..<offset + size].reversed() { value = value << 8 | UInt64(byte) }
    return value
  }
}
