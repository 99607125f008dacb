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
    try [Extent](capacity: limit) { extents throws(Malformed) in
      try coalesce(into: &extents, pageSize: pageSize, in: memory, limit: limit)
    }
  }

  private func coalesce<Memory: PageMemory>(
    into extents: inout OutputSpan<Extent>, pageSize: UInt64, in memory: Memory, limit: Int
  ) throws(Malformed) {
    var coalescer = ExtentCoalescer()
    var entry = head
    var next: UInt64 = 0
    var destination: UInt64?
    var left = limit
    while true {
      // Sources are nearly all there is.
      if entry.tag == PageEntry.sourceTag || entry.tag == PageEntry.zerosTag {
        guard let target = destination else { throw .noDestination }
        left &-= 1
        guard left >= 0 else { throw .endless(limit: limit) }
        if entry.tag == PageEntry.sourceTag {
          coalescer.append(
            source: entry.address, destination: target, size: pageSize, to: &extents)
        } else {
          coalescer.appendZeros(destination: target, size: pageSize, to: &extents)
        }
        destination = target &+ pageSize
      } else if entry.tag == PageEntry.destinationTag {
        destination = entry.address
        left &-= 1
        guard left >= 0 else { throw .endless(limit: limit) }
      } else if entry.tag == PageEntry.indirectionTag {
        next = entry.address
        left &-= 1
        guard left >= 0 else { throw .endless(limit: limit) }
      } else if entry.tag == PageEntry.doneTag {
        coalescer.finish(&extents)
        return
      } else {
        throw .unknownEntry(entry.rawValue)
      }
      // The head is no part of a page.
      if next == 0 { throw .unknownEntry(entry.rawValue) }
      entry = PageEntry(rawValue: memory.word(at: PhysicalAddress(next)))
      next &+= 8
    }
  }
}
