import KexecRelocation
import PhysicalMemory

extension RelayLoad {
  /// What waits in scattered pages, as a list in memory and as the extents that the list becomes.
  struct Waiting {
    var extents: [Extent]
    /// Pages that have a source.
    var pages: Int
    /// Entries of Linux's relocation list, or of its page backup list.
    var entries: Int
    /// From the first byte of a source to the last; nil where nothing moves.
    var sources: PhysicalRange?
    /// What taking the pages and writing the list took, and what reading it back did.
    var listTicks: UInt64
    var extentTicks: UInt64
  }

  /// The memory that is read and written while things move, or more than that: whole pages, which
  /// all can be mapped.
  static func touched(
    _ sources: PhysicalRange?, _ destinations: PhysicalRangeSet, in memory: PhysicalRangeSet,
    _ granule: Granule
  ) -> PhysicalRangeSet {
    var touched = destinations
    if let sources {
      touched.formUnion(memory.alignedInward(to: granule.pageSize).intersection(sources))
    }
    return touched
  }

  /// The control pages' order: as much as they can take, because there is no room behind them later.
  ///
  /// - Parameter pages: as many as there may be extents.
  static func controlOrder(
    pages: Int, _ segments: [LoadSegment], _ request: Request
  ) -> Int {
    // A larger one is refused.
    let block = min(
      HandoffBlock.size(
        extents: pages, pieces: PieceCount.of(segments),
        redistributors: request.redistributors.count), Int(HandoffBlockView.maximumSize))
    let tables =
      UInt64(Control.mostTablePages(request, pages: pages)) * request.granule.pageSize
    // A page of the loader's own, the stage, and the ends of pages. A larger region is refused.
    let size = 0x10_0000 + min(UInt64(block) + tables, UInt64(ControlRegion.maximumSize))
    var order = 0
    while request.granule.pageSize << UInt64(order) < size { order += 1 }
    return order
  }

  static func pageCount(of segments: [LoadSegment], _ granule: Granule) -> Int {
    var count = 0
    for segment in segments { count += Int(segment.pages(granule).size / granule.pageSize) }
    return count
  }
}

extension RelayFailure {
  init(_ error: KimageError) {
    switch error {
    case .noMemory(let pages): self = .noMemory(pages: pages)
    case .badSegment(let range), .overlap(_, let range), .tooLong(let range, _):
      self = .segment(range)
    }
  }
}
