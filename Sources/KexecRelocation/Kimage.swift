import PhysicalMemory

/// An image that waits in scattered pages for its relocation: Linux's `struct kimage`, whole.
///
/// Segments say what must lie where. Their pages are loaded into whatever pages the allocator
/// gives, under two rules that make the order of the relocation irrelevant: a page that happens to
/// be its own destination stays there, and a page that is another's destination changes places
/// with that one's source, or is set aside until it is wanted. So no source is ever the
/// destination of something else. The relocation list grows in indirection pages on the way; control
/// pages lie outside every destination.
///
/// Unlike Linux's, it takes time linear in the number of pages: where a destination's entry is, is
/// computed and not looked for, and what is set aside is a bitmap.
///
/// Whatever fails gives back every page first.
public struct Kimage<Allocator: PageAllocator, Memory: PageMemory>: ~Copyable {
  /// What must be in memory when the next program starts: whole pages, disjoint.
  public let segments: [PhysicalRange]
  /// Of the pages that are moved, in bytes.
  public let pageSize: UInt64
  public var allocator: Allocator
  public let memory: Memory

  /// Entries in all indirection pages, without the links between these.
  private var entryCount = 0
  private var head = PageEntry.done
  private var indirectionPages: [UInt64] = []
  /// For each segment the number of its first page among all destinations, where its entries begin
  /// in the list (−1: not yet), and how many of its pages are in it.
  private var firstPages: [Int] = []
  private var firstEntries: [Int] = []
  private var loadedPages: [Int] = []
  /// Destination pages that the allocator gave and that nobody wants yet, a bit each.
  private var setAside: [UInt64]
  /// Single pages out of larger blocks that could not be used.
  private var spare: [UInt64] = []
  private var control: [(page: UInt64, order: Int)] = []
  /// Pages that are out.
  private var taken = 0
  private var lowestSource = UInt64.max
  private var sourceEnd: UInt64 = 0
  /// Pages that are moved, those that stay where they are among them.
  public private(set) var sourcePages = 0

  /// An image of `segments`, nothing loaded yet.
  ///
  /// - Throws: `.badSegment`, `.overlap`.
  public init(
    segments: [PhysicalRange], granule: Granule, allocator: Allocator, memory: Memory
  ) throws(KimageError) {
    let pageSize = granule.pageSize
    var pages = 0
    for (index, segment) in segments.enumerated() {
      guard !segment.isEmpty, segment.start.isAligned(to: pageSize),
        segment.end.isAligned(to: pageSize), segment.start.rawValue > 0
      else { throw .badSegment(segment) }
      for other in segments[..<index] where other.overlaps(segment) {
        throw .overlap(other, segment)
      }
      firstPages.append(pages)
      firstEntries.append(-1)
      loadedPages.append(0)
      pages += Int(segment.size / pageSize)
    }
    self.segments = segments
    self.pageSize = pageSize
    self.allocator = allocator
    self.memory = memory
    setAside = [UInt64](repeating: 0, count: (pages + 63) / 64)
  }

  // MARK: Loading

  /// Loads the segment at `index`: `bytes`, and zeros behind them. Pages of nothing but zeros get
  /// no source.
  ///
  /// - Throws: `.noMemory`, `.tooLong`; nothing is loaded then, of any segment.
  public mutating func load(_ index: Int, _ bytes: RawSpan) throws(KimageError) {
    let segment = segments[index]
    guard UInt64(bytes.byteCount) <= segment.size else {
      release()
      throw .tooLong(segment, bytes: UInt64(bytes.byteCount))
    }
    try begin(index)
    var offset: UInt64 = 0
    while offset < segment.size {
      let end = min(UInt64(bytes.byteCount), offset + pageSize)
      let part = bytes.extracting(Int(min(offset, end))..<Int(end))
      if Self.isZero(part) {
        try append(.zeros)
      } else {
        let page = try takePage(for: segment.start.rawValue + offset)
        memory.write(part, at: PhysicalAddress(page))
        let rest = PhysicalAddress(page + UInt64(part.byteCount))
        memory.clear(PhysicalRange(rest, upTo: PhysicalAddress(page + pageSize)))
        try appendSource(page)
      }
      loadedPages[index] += 1
      offset += pageSize
    }
  }

  /// Takes a source for every page of the segment at `index`, for a caller who will fill them in:
  /// `extents()` says where they are.
  ///
  /// - Throws: `.noMemory`; nothing is loaded then, of any segment.
  public mutating func reserve(_ index: Int) throws(KimageError) {
    let segment = segments[index]
    try begin(index)
    var destination = segment.start.rawValue
    while destination < segment.end.rawValue {
      try appendSource(try takePage(for: destination))
      loadedPages[index] += 1
      destination += pageSize
    }
  }

  /// Ends the list and gives back what was set aside: nothing can be loaded any more.
  ///
  /// - Returns: the list.
  public mutating func finish() throws(KimageError) -> EntryList {
    if let last = indirectionPages.last {
      // The slot of the link to a further page is always left.
      let used = (entryCount - 1) % entriesPerPage + 1
      memory.setWord(
        PageEntry.done.rawValue, at: PhysicalAddress(last + UInt64(used) * 8))
    }
    giveBackUnused()
    return EntryList(head: head)
  }

  /// The extents that the list, finished, coalesces into.
  public func extents() -> [Extent] {
    let list = EntryList(head: head)
    do throws(EntryList.Malformed) {
      return try list.extents(pageSize: pageSize, in: memory, limit: listLength)
    } catch {
      preconditionFailure("the list is this image's own")
    }
  }

  /// From the first byte of a source to the last: what may be read. Nil where there is none.
  public var sourceHull: PhysicalRange? {
    PhysicalRange(start: PhysicalAddress(lowestSource), end: PhysicalAddress(sourceEnd))
  }

  /// The number of entries, links and end among them.
  public var listLength: Int { entryCount + indirectionPages.count + 1 }

  /// `1 << order` contiguous pages, aligned to their size, outside every destination: they survive
  /// the relocation.
  ///
  /// - Throws: `.noMemory`; nothing is loaded then, of any segment.
  public mutating func takeControlPages(order: Int) throws(KimageError) -> PhysicalRange {
    let size = pageSize << UInt64(order)
    while true {
      guard let block = allocator.allocate(order: order) else { throw outOfMemory() }
      taken += 1 << order
      let range = PhysicalRange(block, upTo: block + size)
      if block.rawValue != 0, !segments.contains(where: { $0.overlaps(range) }) {
        control.append((block.rawValue, order))
        return range
      }
      // Page by page: those of a destination wait for it, the others for whoever wants one.
      var page = block.rawValue
      while page < range.end.rawValue {
        if let number = destinationNumber(page)?.number { set(number) } else { spare.append(page) }
        page += pageSize
      }
    }
  }

  /// Gives back everything.
  public mutating func release() {
    giveBackUnused()
    for index in segments.indices where firstEntries[index] >= 0 {
      for page in 0..<loadedPages[index] {
        let entry = entry(firstEntries[index] + 1 + page)
        if entry.tag == PageEntry.sourceTag { giveBack(entry.address) }
      }
      firstEntries[index] = -1
      loadedPages[index] = 0
    }
    for page in indirectionPages { giveBack(page) }
    for (page, order) in control {
      allocator.free(PhysicalAddress(page), order: order)
      taken -= 1 << order
    }
    indirectionPages = []
    control = []
    entryCount = 0
    sourcePages = 0
    lowestSource = .max
    sourceEnd = 0
    head = .done
  }

  // MARK: Pages

  /// A page for what goes to `destination`, or with 0 for the list itself: no destination of
  /// anything else.
  private mutating func takePage(for destination: UInt64) throws(KimageError) -> UInt64 {
    if destination != 0, let number = destinationNumber(destination)?.number, isSet(number) {
      clear(number)
      return destination
    }
    while true {
      let page: UInt64
      if let left = spare.popLast() {
        page = left
      } else {
        guard let fresh = allocator.allocate(order: 0) else { throw outOfMemory() }
        taken += 1
        page = fresh.rawValue
      }
      // Nobody's address: 0 means none in more than one place.
      if page == destination, page != 0 { return page }
      guard let (number, segment) = destinationNumber(page) else {
        if page != 0 { return page }
        unusable(page)
        continue
      }
      let inSegment = number - firstPages[segment]
      if firstEntries[segment] >= 0, inSegment < loadedPages[segment] {
        let index = firstEntries[segment] + 1 + inSegment
        let old = entry(index)
        if old.tag == PageEntry.sourceTag {
          // What goes here is loaded already: it moves in, and its source is free. That one is
          // nobody's destination, or it would not have become a source.
          memory.copy(
            pageSize, from: PhysicalAddress(old.address), to: PhysicalAddress(page))
          setEntry(index, .source(PhysicalAddress(page)))
          return old.address
        }
      }
      set(number)
    }
  }

  private mutating func unusable(_ page: UInt64) {
    control.append((page, 0))
  }

  private mutating func giveBack(_ page: UInt64) {
    allocator.free(PhysicalAddress(page), order: 0)
    taken -= 1
  }

  private mutating func giveBackUnused() {
    for page in spare { giveBack(page) }
    spare = []
    for (index, segment) in segments.enumerated() {
      for page in 0..<Int(segment.size / pageSize) where isSet(firstPages[index] + page) {
        clear(firstPages[index] + page)
        giveBack(segment.start.rawValue + UInt64(page) * pageSize)
      }
    }
  }

  private mutating func outOfMemory() -> KimageError {
    let pages = taken
    release()
    return .noMemory(pages: pages)
  }

  /// Which of all destination pages `page` is, and in which segment; nil where it is none.
  private func destinationNumber(_ page: UInt64) -> (number: Int, segment: Int)? {
    for (index, segment) in segments.enumerated() where segment.contains(PhysicalAddress(page)) {
      return (firstPages[index] + Int((page - segment.start.rawValue) / pageSize), index)
    }
    return nil
  }

  private func isSet(_ number: Int) -> Bool {
    setAside[number / 64] >> UInt64(number % 64) & 1 != 0
  }

  private mutating func set(_ number: Int) {
    setAside[number / 64] |= 1 << UInt64(number % 64)
  }

  private mutating func clear(_ number: Int) {
    setAside[number / 64] &= ~(1 << UInt64(number % 64))
  }

  // MARK: The list

  /// Entries of a page; the last slot is the link's to the next page.
  private var entriesPerPage: Int { Int(pageSize / 8) - 1 }

  private mutating func begin(_ index: Int) throws(KimageError) {
    precondition(firstEntries[index] < 0, "a segment is loaded once")
    let first = entryCount
    try append(.destination(segments[index].start))
    firstEntries[index] = first
  }

  private mutating func appendSource(_ page: UInt64) throws(KimageError) {
    // Should the list find no room, the page is in no list yet.
    do throws(KimageError) { try append(.source(PhysicalAddress(page))) } catch {
      giveBack(page)
      throw error
    }
    sourcePages += 1
    lowestSource = min(lowestSource, page)
    sourceEnd = max(sourceEnd, page + pageSize)
  }

  private mutating func append(_ entry: PageEntry) throws(KimageError) {
    if entryCount % entriesPerPage == 0 {
      let page = try takePage(for: 0)
      let link = PageEntry.indirection(PhysicalAddress(page))
      if let last = indirectionPages.last {
        memory.setWord(
          link.rawValue, at: PhysicalAddress(last + UInt64(entriesPerPage) * 8))
      } else {
        head = link
      }
      indirectionPages.append(page)
    }
    entryCount += 1
    setEntry(entryCount - 1, entry)
  }

  private func place(_ index: Int) -> PhysicalAddress {
    PhysicalAddress(
      indirectionPages[index / entriesPerPage] + UInt64(index % entriesPerPage) * 8)
  }

  private func entry(_ index: Int) -> PageEntry {
    PageEntry(rawValue: memory.word(at: place(index)))
  }

  private func setEntry(_ index: Int, _ entry: PageEntry) {
    memory.setWord(entry.rawValue, at: place(index))
  }

  private static func isZero(_ bytes: RawSpan) -> Bool {
    let words = bytes.byteCount / 8
    for index in 0..<words {
      // Sound: inside the span; any bits are a word.
      if unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index * 8, as: UInt64.self) != 0 {
        return false
      }
    }
    for index in words * 8..<bytes.byteCount {
      // Sound, likewise.
      if unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self) != 0 { return false }
    }
    return true
  }
}
