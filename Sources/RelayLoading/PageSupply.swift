import PhysicalMemory

/// Hands out the pages of a set, one by one, as scattered as a layout asks for; and keeps account
/// of those that are out.
public struct PageSupply: Sendable {
  public let pageSize: UInt64
  private let ranges: [PhysicalRange]
  /// Pages that are handed out one behind the other, and those left out after them.
  private let run: UInt64
  private let gap: UInt64
  private var range = 0
  private var offset: UInt64 = 0
  private var inRun: UInt64 = 0
  private var returned: [PhysicalAddress] = []
  /// The pages that are out.
  public private(set) var outstanding = 0
  /// The pages that have been asked for.
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

  /// A page, or nil where there is none left.
  public mutating func take() -> PhysicalAddress? {
    requests += 1
    if requests == failingRequest { return nil }
    if let page = returned.popLast() {
      outstanding += 1
      return page
    }
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
        outstanding += 1
        return page
      }
      range += 1
      offset = 0
      inRun = 0
    }
    return nil
  }

  /// Takes a page back.
  public mutating func giveBack(_ page: PhysicalAddress) {
    outstanding -= 1
    returned.append(page)
  }
}
