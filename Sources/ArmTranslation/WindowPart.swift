import PhysicalMemory

/// Of a window what is mapped in one way: ranges page by page, or a range that holds blocks.
struct WindowPart: Sendable {
  let virtualStart: VirtualAddress
  /// In bytes.
  let size: UInt64
  let kind: MemoryKind
  /// Where the range begins that holds blocks; nil where ranges are mapped page by page.
  let physical: PhysicalAddress?
  /// The window's, of which the part's begin with `firstRange`.
  let ranges: [PhysicalRange]
  let firstRange: Int
}

extension Window {
  /// The parts, in ascending order of virtual addresses, for tables of `granule`.
  ///
  /// Takes a look at the ranges only where one of them can be as large as a block: it costs nothing
  /// where pages are scattered.
  func parts(_ granule: Granule) -> [WindowPart] {
    let block = granule.smallestBlock
    var parts: [WindowPart] = []
    // Of the part that is under way.
    var start = virtualStart.rawValue
    var first = 0

    func end(_ virtual: UInt64, before next: Int) {
      if virtual > start {
        parts.append(
          WindowPart(
            virtualStart: VirtualAddress(start), size: virtual &- start, kind: kind, physical: nil,
            ranges: ranges, firstRange: first))
      }
      start = virtual
      first = next
    }

    var virtual = start
    let others = UInt64(ranges.count) &* granule.pageSize
    if size &+ granule.pageSize >= others &+ block {
      for index in ranges.indices {
        let range = ranges[index]
        if range.size >= block, (virtual ^ range.start.rawValue) & (block - 1) == 0,
          holdsBlock(from: virtual, range.size, block)
        {
          end(virtual, before: index)
          start = virtual &+ range.size
          first = index + 1
          parts.append(
            WindowPart(
              virtualStart: VirtualAddress(virtual), size: range.size, kind: kind,
              physical: range.start, ranges: [], firstRange: 0))
        }
        virtual &+= range.size
      }
    }
    end(virtualStart.rawValue &+ size, before: ranges.count)
    return parts
  }

  /// Whether a block begins and ends in `size` bytes, at least one block's, from `virtual` on.
  private func holdsBlock(from virtual: UInt64, _ size: UInt64, _ block: UInt64) -> Bool {
    let offset = virtual & (block - 1)
    return offset == 0 || size - block >= block - offset
  }
}
