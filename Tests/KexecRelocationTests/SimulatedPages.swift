import KexecRelocation
import PhysicalMemory

/// Physical memory in one piece, byte for byte, with an allocator over its pages: what a kernel
/// has when it loads an image.
final class SimulatedPages: PageMemory {
  let range: PhysicalRange
  private(set) var bytes: [UInt8]

  /// Every page full of what `fill` says for its number.
  init(_ range: PhysicalRange, fill: (Int) -> UInt8) {
    self.range = range
    bytes = []
    bytes.reserveCapacity(Int(range.size))
    for page in 0..<Int((range.size + 4095) / 4096) {
      bytes += [UInt8](repeating: fill(page), count: min(4096, Int(range.size) - page * 4096))
    }
  }

  private func index(_ address: PhysicalAddress) -> Int { Int(address - range.start) }

  subscript(_ part: PhysicalRange) -> ArraySlice<UInt8> {
    get { bytes[index(part.start)..<index(part.end)] }
    set { bytes.replaceSubrange(index(part.start)..<index(part.end), with: newValue) }
  }

  func word(at address: PhysicalAddress) -> UInt64 {
    (0..<8).reversed().reduce(0) { $0 << 8 | UInt64(bytes[index(address) + $1]) }
  }

  func setWord(_ word: UInt64, at address: PhysicalAddress) {
    for byte in 0..<8 {
      bytes[index(address) + byte] = UInt8(truncatingIfNeeded: word >> UInt64(8 * byte))
    }
  }

  func write(_ span: RawSpan, at address: PhysicalAddress) {
    let start = index(address)
    unsafe span.withUnsafeBytes { source in
      unsafe bytes.replaceSubrange(start..<start + source.count, with: source)
    }
  }

  func clear(_ range: PhysicalRange) {
    self[range] = [UInt8](repeating: 0, count: Int(range.size))[...]
  }

  func copy(_ size: UInt64, from source: PhysicalAddress, to target: PhysicalAddress) {
    self[PhysicalRange(target, upTo: target + size)] =
      self[PhysicalRange(source, upTo: source + size)]
  }

  /// What the relocation does: byte by byte, in the order given.
  func move(_ extents: [Extent]) {
    for extent in extents {
      if extent.isZeros {
        clear(extent.destination)
      } else {
        copy(extent.size, from: extent.source.start, to: extent.destination.start)
      }
    }
  }
}

/// An allocator that gives pages in a given order, counts them, and fails when it is told to.
struct ScatteredPages: PageAllocator {
  /// Shared with the test, which looks at it when the image is gone.
  final class Account {
    var out: Set<UInt64> = []
    var requests = 0
    var failingRequest: Int?
    /// Something came back that was not out, or overlapped what was.
    var isWrong = false
  }

  let pageSize: UInt64
  let account: Account
  private var free: [UInt64]

  init(_ pages: [UInt64], pageSize: UInt64, account: Account) {
    free = pages.reversed()
    self.pageSize = pageSize
    self.account = account
  }

  mutating func allocate(order: Int) -> PhysicalAddress? {
    account.requests += 1
    if account.requests == account.failingRequest { return nil }
    if order == 0 {
      guard let page = free.popLast() else { return nil }
      account.out.insert(page)
      return PhysicalAddress(page)
    }
    let size = pageSize << UInt64(order)
    for page in free.reversed() where page % size == 0 {
      let block = Set((0..<UInt64(1) << UInt64(order)).map { page + $0 * pageSize })
      guard block.isSubset(of: free) else { continue }
      free.removeAll { block.contains($0) }
      account.out.formUnion(block)
      return PhysicalAddress(page)
    }
    return nil
  }

  mutating func free(_ pages: PhysicalAddress, order: Int) {
    for number in 0..<UInt64(1) << UInt64(order) {
      let page = pages.rawValue + number * pageSize
      if account.out.remove(page) == nil { account.isWrong = true }
      free.append(page)
    }
  }
}
