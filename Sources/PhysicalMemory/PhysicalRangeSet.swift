/// A set of bytes of physical memory, kept as sorted, disjoint, non-adjacent, non-empty ranges.
///
/// Two sets of the same bytes are equal, whatever the order in which they were built.
/// `insert`, `subtract` and `contains` are linear in the number of ranges; making a set of many
/// ranges takes no more than sorting them.
public struct PhysicalRangeSet: Hashable, Sendable {
  /// The ranges in ascending order; no two touch.
  public private(set) var ranges: [PhysicalRange] = []

  public init() {}

  public init(_ ranges: [PhysicalRange]) {
    for range in ranges.sorted(by: { $0.start < $1.start }) { insert(range) }
  }

  public var isEmpty: Bool { ranges.isEmpty }

  /// The number of bytes in the set.
  public var size: UInt64 {
    var sum: UInt64 = 0
    for range in ranges { sum += range.size }
    return sum
  }

  /// Adds every byte of `range`.
  public mutating func insert(_ range: PhysicalRange) {
    guard !range.isEmpty else { return }
    // The usual caller adds in ascending order: append without rebuilding the list.
    guard let last = ranges.last, range.start <= last.end else {
      ranges.append(range)
      return
    }
    if range.start >= last.start {
      ranges[ranges.count - 1] = PhysicalRange(last.start, upTo: max(last.end, range.end))
      return
    }
    var start = range.start
    var end = range.end
    var result: [PhysicalRange] = []
    result.reserveCapacity(ranges.count + 1)
    var placed = false
    for existing in ranges {
      if existing.end < start {
        result.append(existing)
      } else if end < existing.start {
        if !placed {
          result.append(PhysicalRange(start, upTo: end))
          placed = true
        }
        result.append(existing)
      } else {
        start = min(start, existing.start)
        end = max(end, existing.end)
      }
    }
    if !placed { result.append(PhysicalRange(start, upTo: end)) }
    ranges = result
  }

  /// Takes every byte of `range` away.
  public mutating func subtract(_ range: PhysicalRange) {
    guard !range.isEmpty else { return }
    var result: [PhysicalRange] = []
    result.reserveCapacity(ranges.count + 1)
    for existing in ranges {
      guard existing.overlaps(range) else {
        result.append(existing)
        continue
      }
      if existing.start < range.start {
        result.append(PhysicalRange(existing.start, upTo: range.start))
      }
      if range.end < existing.end {
        result.append(PhysicalRange(range.end, upTo: existing.end))
      }
    }
    ranges = result
  }

  public mutating func formUnion(_ other: PhysicalRangeSet) {
    if other.ranges.count < 2 {
      for range in other.ranges { insert(range) }
    } else {
      self = PhysicalRangeSet(ranges + other.ranges)
    }
  }

  /// Linear in the number of ranges of both.
  public mutating func subtract(_ other: PhysicalRangeSet) {
    var result: [PhysicalRange] = []
    result.reserveCapacity(ranges.count)
    // The first of the others that may reach into what follows.
    var index = 0
    for existing in ranges {
      while index < other.ranges.count, other.ranges[index].end <= existing.start { index += 1 }
      var start = existing.start
      var next = index
      while next < other.ranges.count, other.ranges[next].start < existing.end {
        let taken = other.ranges[next]
        if start < taken.start { result.append(PhysicalRange(start, upTo: taken.start)) }
        start = taken.end
        next += 1
      }
      if start < existing.end { result.append(PhysicalRange(start, upTo: existing.end)) }
    }
    ranges = result
  }

  public func subtracting(_ other: PhysicalRangeSet) -> PhysicalRangeSet {
    var result = self
    result.subtract(other)
    return result
  }

  public func intersection(_ bounds: PhysicalRange) -> PhysicalRangeSet {
    var result = PhysicalRangeSet()
    for range in ranges {
      if let part = range.intersection(bounds) { result.insert(part) }
    }
    return result
  }

  public func intersection(_ other: PhysicalRangeSet) -> PhysicalRangeSet {
    var result = PhysicalRangeSet()
    for range in other.ranges { result.formUnion(intersection(range)) }
    return result
  }

  public func contains(_ address: PhysicalAddress) -> Bool {
    for range in ranges where range.contains(address) { return true }
    return false
  }

  /// Whether every byte of `range` is in the set; true of an empty range.
  public func contains(_ range: PhysicalRange) -> Bool {
    guard !range.isEmpty else { return true }
    for existing in ranges where existing.contains(range) { return true }
    return false
  }

  public func overlaps(_ range: PhysicalRange) -> Bool {
    for existing in ranges where existing.overlaps(range) { return true }
    return false
  }

  /// The set's range that contains `address`, or nil where the address is not in the set.
  public func range(containing address: PhysicalAddress) -> PhysicalRange? {
    for range in ranges where range.contains(address) { return range }
    return nil
  }

  /// The set's whole multiples of `alignment` (a power of two), range by range: what remains when
  /// every partly covered page is given up.
  public func alignedInward(to alignment: UInt64) -> PhysicalRangeSet {
    var result = PhysicalRangeSet()
    for range in ranges {
      if let inner = range.alignedInward(to: alignment) { result.insert(inner) }
    }
    return result
  }

  /// The lowest range of `size` bytes in the set whose start is a multiple of `alignment` (a power
  /// of two) and that lies inside `bounds`, or nil where there is none.
  public func lowestFit(
    size: UInt64, alignment: UInt64, within bounds: PhysicalRange
  ) -> PhysicalRange? {
    for range in ranges {
      guard let part = range.intersection(bounds),
        let start = part.start.alignedUp(to: alignment),
        let fit = PhysicalRange(start: start, size: size),
        // Not `part.contains(fit)`, which holds of an empty range wherever it lies.
        fit.end <= part.end
      else { continue }
      return fit
    }
    return nil
  }

  /// As `lowestFit`, from the top of memory down.
  public func highestFit(
    size: UInt64, alignment: UInt64, within bounds: PhysicalRange
  ) -> PhysicalRange? {
    for range in ranges.reversed() {
      guard let part = range.intersection(bounds), part.size >= size else { continue }
      let start = PhysicalAddress(part.end.rawValue - size).alignedDown(to: alignment)
      guard start >= part.start, let fit = PhysicalRange(start: start, size: size) else { continue }
      return fit
    }
    return nil
  }
}
