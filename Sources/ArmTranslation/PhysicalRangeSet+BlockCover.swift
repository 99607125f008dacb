import PhysicalMemory

extension PhysicalRangeSet {
  /// What to map so that `touched` is mapped and the tables stay small: every range of `touched`,
  /// each edge moved outward to the next boundary of the largest block (with 4 KiB pages 1 GiB,
  /// then 2 MiB, then the page) that can be reached without leaving this set.
  ///
  /// This set is the memory that may be mapped, System RAM; nothing outside it is ever covered,
  /// and a page that lies only partly in it is not mappable.
  ///
  /// - Throws: `BlockCoverError` where a page of `touched` does not lie wholly in this set.
  public func blockCover(
    of touched: PhysicalRangeSet, granule: Granule, format: AddressFormat = .bits48
  ) throws(BlockCoverError) -> PhysicalRangeSet {
    let geometry = TranslationGeometry(granule: granule, format: format, end: 0)
    var cover = PhysicalRangeSet()
    for range in touched.ranges {
      guard let pages = range.alignedOutward(to: granule.pageSize),
        let bounds = self.range(containing: pages.start), bounds.contains(pages)
      else { throw .outsideMemory(range) }
      var start = pages.start
      var end = pages.end
      // Smallest first: a larger block's boundary lies beyond a smaller one's.
      for level in (0..<Granule.lastLevel).reversed() where geometry.allowsLeaf(atLevel: level) {
        let size: UInt64 = 1 << UInt64(granule.entryShift(atLevel: level))
        let lower = pages.start.alignedDown(to: size)
        if lower >= bounds.start { start = lower }
        if let upper = pages.end.alignedUp(to: size), upper <= bounds.end { end = upper }
      }
      cover.insert(PhysicalRange(start, upTo: end))
    }
    return cover
  }
}
