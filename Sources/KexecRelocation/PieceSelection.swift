/// Which bytes of the loaded segments are digested.
public enum PieceSelection: Sendable, Hashable {
  /// Every byte, in pieces of at most 1 MiB.
  case everything
  /// `count` pages of 4 KiB (all, where there are fewer), spread evenly, the first and the last of
  /// each segment among them. Even an unchecked load notices this way that something else took its memory.
  case sample(count: Int)

  static let samplePageSize = 4096

  /// The ranges to digest, as offsets into each segment, segment by segment.
  ///
  /// - Parameter sizes: the segments' sizes in bytes.
  /// - Returns: for each segment its ranges in ascending order, disjoint, none empty. A sample of
  ///   fewer pages than two a segment still takes two of each.
  func ranges(ofSegments sizes: [Int]) -> [[Range<Int>]] {
    switch self {
    case .everything:
      return sizes.map { PieceSelection.slices(of: $0, by: Int(Piece.maximumSize)) }
    case .sample(let count):
      let pages = sizes.map { PieceSelection.slices(of: $0, by: PieceSelection.samplePageSize) }
      var total = 0
      for segment in pages { total += segment.count }
      guard total > count else { return pages }
      // Two of each segment, the rest by size, what rounding leaves over to the largest.
      let rest = max(0, count - 2 * sizes.count)
      var quotas = pages.map { 2 + rest * $0.count / total }
      var unused = max(count, 2 * sizes.count)
      var largest = 0
      for (index, segment) in pages.enumerated() {
        quotas[index] = min(quotas[index], segment.count)
        unused -= quotas[index]
        if segment.count > pages[largest].count { largest = index }
      }
      quotas[largest] = min(quotas[largest] + unused, pages[largest].count)
      return zip(pages, quotas).map { PieceSelection.spread($1, over: $0) }
    }
  }

  private static func slices(of size: Int, by step: Int) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var start = 0
    while start < size {
      let end = size - start > step ? start + step : size
      result.append(start..<end)
      start = end
    }
    return result
  }

  /// `count` elements of `all` at even distances, the first and the last among them.
  private static func spread(_ count: Int, over all: [Range<Int>]) -> [Range<Int>] {
    guard count < all.count, count >= 2 else { return all }
    var result: [Range<Int>] = []
    for index in 0..<count {
      result.append(all[index * (all.count - 1) / (count - 1)])
    }
    return result
  }
}
