import PhysicalMemory

/// A relocation list as it lies in memory: entries in pages that name each other.
public struct EntryList: Sendable, Hashable {
  /// Why a list is none.
  public enum Malformed: Error, Hashable, Sendable {
    /// An entry has a tag that is not known, or several.
    case unknownEntry(UInt64)
    /// A page is to be moved before there was a destination.
    case noDestination
    /// More than `limit` pages.
    case endless(limit: Int)
  }

  /// The first entry: usually an INDIRECTION; DONE where nothing moves.
  public let head: PageEntry

  public init(head: PageEntry) { self.head = head }

  /// The list as extents, in its order.
  ///
  /// - Parameters:
  ///   - pageSize: of the pages that are moved, in bytes.
  ///   - limit: the most entries that there may be, so that a list in a circle ends, and room for as
  ///     many extents is enough.
  public func extents<Memory: PageMemory>(
    pageSize: UInt64, in memory: Memory, limit: Int
  ) throws(Malformed) -> [Extent] {
    // Sound: there are no more extents than entries.
    try unsafe [Extent](unsafeUninitializedCapacity: limit) { (extents, count) throws(Malformed) in
      count = try unsafe coalesce(into: extents, pageSize: pageSize, in: memory, limit: limit)
    }
  }

  /// - Returns: the number of extents.
  @inline(__always)
  private func coalesce<Memory: PageMemory>(
    into extents: UnsafeMutableBufferPointer<Extent>, pageSize: UInt64, in memory: Memory,
    limit: Int
  ) throws(Malformed) -> Int {
    var coalescer = unsafe ExtentCoalescer(into: extents)
    var entry = head
    var next: UInt64 = 0
    var destination: UInt64?
    var left = limit
    while entry.tag != PageEntry.doneTag {
      left &-= 1
      guard left >= 0 else { throw .endless(limit: limit) }
      switch entry.tag {
      case PageEntry.sourceTag:
        // Only a page of the list gives a destination.
        guard var target = destination else { throw .noDestination }
        // Nearly all entries are of this kind, one behind the other.
        while true {
          coalescer.append(source: entry.address, destination: target, size: pageSize)
          target &+= pageSize
          entry = PageEntry(rawValue: memory.word(at: PhysicalAddress(next)))
          next &+= 8
          guard entry.tag == PageEntry.sourceTag else { break }
          if left == 0 { throw .endless(limit: limit) }
          left &-= 1
        }
        destination = target
        continue
      case PageEntry.zerosTag:
        guard let target = destination else { throw .noDestination }
        coalescer.appendZeros(destination: target, size: pageSize)
        destination = target &+ pageSize
      case PageEntry.destinationTag: destination = entry.address
      case PageEntry.indirectionTag: next = entry.address
      default: throw .unknownEntry(entry.rawValue)
      }
      // The head is no part of a page.
      if next == 0 { throw .unknownEntry(entry.rawValue) }
      entry = PageEntry(rawValue: memory.word(at: PhysicalAddress(next)))
      next &+= 8
    }
    return coalescer.count
  }
}
