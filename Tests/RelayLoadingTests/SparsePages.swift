import PhysicalMemory
import RelayLoading

/// Physical memory of which only what was written exists, 4096 bytes at a time; the rest is 0xA5.
final class SparsePages: LoaderMemory {
  private var pages: [UInt64: [UInt8]] = [:]

  private func forEachPart(
    _ range: PhysicalRange, _ body: (_ page: UInt64, _ bytes: Range<Int>, _ offset: Int) -> Void
  ) {
    var address = range.start.rawValue
    while address < range.end.rawValue {
      let page = address & ~4095
      let end = min(range.end.rawValue, page + 4096)
      body(page, Int(address - page)..<Int(end - page), Int(address - range.start.rawValue))
      address = end
    }
  }

  subscript(_ range: PhysicalRange) -> [UInt8] {
    get {
      var bytes: [UInt8] = []
      forEachPart(range) { page, part, _ in
        bytes += pages[page]?[part] ?? [UInt8](repeating: 0xA5, count: part.count)[...]
      }
      return bytes
    }
    set {
      forEachPart(range) { page, part, offset in
        pages[page, default: [UInt8](repeating: 0xA5, count: 4096)].replaceSubrange(
          part, with: newValue[offset..<offset + part.count])
      }
    }
  }

  func write(_ bytes: RawSpan, at address: PhysicalAddress) {
    self[PhysicalRange(address, upTo: address + UInt64(bytes.byteCount))] =
      unsafe bytes.withUnsafeBytes { unsafe Array($0) }
  }

  func clear(_ range: PhysicalRange) {
    self[range] = [UInt8](repeating: 0, count: Int(range.size))
  }

  func clean(_ range: PhysicalRange) {}

  func copy(_ size: UInt64, from source: PhysicalAddress, to target: PhysicalAddress) {
    self[PhysicalRange(target, upTo: target + size)] =
      self[PhysicalRange(source, upTo: source + size)]
  }

  func word(at address: PhysicalAddress) -> UInt64 {
    self[PhysicalRange(address, upTo: address + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  func setWord(_ word: UInt64, at address: PhysicalAddress) {
    self[PhysicalRange(address, upTo: address + 8)] = (0..<8).map {
      UInt8(truncatingIfNeeded: word >> (8 * $0))
    }
  }

  func read<Result, Failure>(
    _ range: PhysicalRange, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bytes = self[range]
    // Sound: bytes as the bytes that they are.
    return try unsafe body(bytes.span.bytes)
  }

  var ticks: UInt64 { 0 }
}
