import PhysicalMemory

/// Hibernation's page backup list as Linux keeps it (`struct pbe`): a chain of triples, each with the
/// page that holds a copy, the page that is to be as the copy is, and the next triple, or 0.
public struct BackupList: Sendable, Hashable {
  /// The first triple, or nil where there is none.
  public let first: PhysicalAddress?

  public init(first: PhysicalAddress?) { self.first = first }

  static var tripleSize: UInt64 { 24 }

  /// The list as extents, in its order.
  ///
  /// - Throws: `.endless` where there are more than `limit` pages: the chain may be a circle.
  public func extents<Memory: PageMemory>(
    pageSize: UInt64, in memory: Memory, limit: Int
  ) throws(EntryList.Malformed) -> [Extent] {
    // Sound: there are no more extents than triples.
    try unsafe [Extent](unsafeUninitializedCapacity: limit) {
      (extents, count) throws(EntryList.Malformed) in
      var coalescer = unsafe ExtentCoalescer(into: extents)
      var triple = first?.rawValue ?? 0
      var left = limit
      while triple != 0 {
        guard left > 0 else { throw .endless(limit: limit) }
        left -= 1
        coalescer.append(
          source: memory.word(at: PhysicalAddress(triple)),
          destination: memory.word(at: PhysicalAddress(triple &+ 8)), size: pageSize)
        triple = memory.word(at: PhysicalAddress(triple &+ 16))
      }
      count = coalescer.count
    }
  }
}

/// Builds a page backup list in pages of an allocator: none of them may be an original.
public struct BackupListBuilder<Allocator: PageAllocator, Memory: PageMemory>: ~Copyable {
  public var allocator: Allocator
  private let memory: Memory
  private let pageSize: UInt64
  private var pages: [UInt64] = []
  private var last: UInt64 = 0
  /// The triples so far.
  public private(set) var count = 0

  public init(granule: Granule, allocator: Allocator, memory: Memory) {
    self.allocator = allocator
    self.memory = memory
    pageSize = granule.pageSize
  }

  /// Has the page at `original` become what that at `copy` is.
  ///
  /// - Throws: `.noMemory`; the list's own pages are given back then.
  public mutating func append(
    copy: PhysicalAddress, original: PhysicalAddress
  ) throws(KimageError) {
    let perPage = Int(pageSize / BackupList.tripleSize)
    if count % perPage == 0 {
      guard let page = allocator.allocate(order: 0) else {
        let taken = pages.count
        release()
        throw .noMemory(pages: taken)
      }
      pages.append(page.rawValue)
    }
    let triple = (pages.last ?? 0) + UInt64(count % perPage) * BackupList.tripleSize
    if last != 0 { memory.setWord(triple, at: PhysicalAddress(last + 16)) }
    memory.setWord(copy.rawValue, at: PhysicalAddress(triple))
    memory.setWord(original.rawValue, at: PhysicalAddress(triple + 8))
    memory.setWord(0, at: PhysicalAddress(triple + 16))
    last = triple
    count += 1
  }

  /// The list so far.
  public var list: BackupList { BackupList(first: pages.first.map(PhysicalAddress.init(_:))) }

  /// Gives back the list's own pages.
  public mutating func release() {
    for page in pages { allocator.free(PhysicalAddress(page), order: 0) }
    pages = []
    count = 0
    last = 0
  }
}
