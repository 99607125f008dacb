import KexecRelocation
import PhysicalMemory

/// Hands out the pages of a set as scattered as a layout asks for: single ones from the bottom up,
/// blocks of several from the top down; and keeps account of those that are out.
public final class PageSupply: PageAllocator {
  public let pageSize: UInt64
  private var ranges: [PhysicalRange]
  /// Pages that are handed out one behind the other, and those left out after them.
  private let run: UInt64
  private let gap: UInt64
  private var range = 0
  private var offset: UInt64 = 0
  private var inRun: UInt64 = 0
  private var returned: [PhysicalAddress] = []
  /// The pages that are out.
  public private(set) var outstanding = 0
  /// How often pages have been asked for.
  public private(set) var requests = 0
  /// The request, counted from 1, that finds nothing: for tests.
  public var failingRequest: Int?

  public init(_ free: PhysicalRangeSet, pageSize: UInt64, layout: SourceLayout) {
    self.pageSize = pageSize
    ranges = free.alignedInward(to: pageSize).ranges
    switch layout {
    case .worst: (run, gap) = (1, 1)
    case .typical: (run, gap) = (16, 16)
    case .best: (run, gap) = (.max, 0)
    }
  }

  public func allocate(order: Int) -> PhysicalAddress? {
    requests += 1
    if requests == failingRequest { return nil }
    guard let found = order == 0 ? page() : block(pageSize << UInt64(order)) else { return nil }
    outstanding += 1 << order
    return found
  }

  public func free(_ pages: PhysicalAddress, order: Int) {
    outstanding -= 1 << order
    for number in 0..<UInt64(1) << UInt64(order) { returned.append(pages + number * pageSize) }
  }

  private func page() -> PhysicalAddress? {
    if let page = returned.popLast() { return page }
    while range < ranges.count {
      if inRun == run {
        offset += gap * pageSize
        inRun = 0
      }
      let current = ranges[range]
      if offset < current.size {
        let page = current.start + offset
        offset += pageSize
        inRun += 1
        return page
      }
      range += 1
      offset = 0
      inRun = 0
    }
    return nil
  }

  /// A block at a multiple of its size. What of the range lies behind it is left out from then on.
  private func block(_ size: UInt64) -> PhysicalAddress? {
    for index in (range..<ranges.count).reversed() {
      let current = ranges[index]
      let lowest = index == range ? current.start + min(offset, current.size) : current.start
      guard current.end - lowest >= size else { continue }
      let start = PhysicalAddress(current.end.rawValue - size).alignedDown(to: size)
      guard start >= lowest else { continue }
      ranges[index] = PhysicalRange(current.start, upTo: start)
      return start
    }
    return nil
  }
}
