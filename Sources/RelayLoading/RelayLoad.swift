import ArmTranslation
import BootDigests
import KexecRelocation
import PhysicalMemory

/// A program loaded as kernels load one: its pages scattered over memory, a list that says where they
/// go, an extent for each run, the stage with tables and block in control pages. Everything is in
/// memory; what is left is to enter the stage.
public struct RelayLoad: Sendable {
  /// How to load.
  public struct Request: Sendable {
    public var system: RelocationSystem
    /// The regime that the stage will run in.
    public var regime: TranslationRegime
    public var granule: Granule
    public var lifeline: Lifeline
    public var redistributors: [RedistributorRegion]
    /// What may be mapped cacheable.
    public var mappable: PhysicalRangeSet
    public var digests: SHA256.Implementation
    public var stage: StageImage
    /// Where the stage goes, and its x0 to x3 then.
    public var entry: PhysicalAddress
    public var arguments: (UInt64, UInt64, UInt64, UInt64)
    /// Where the stage leaves its record, in a device tree among the segments.
    public var record: PhysicalAddress?
    /// What the next program needs from `entry` on, in bytes.
    public var entrySize: UInt64
    public var entryPageSize: Granule?
    /// Where in the control page the stage goes instead of to `entry`, in bytes; nil for nowhere.
    public var entryInControlPage: UInt64?

    public init(
      system: RelocationSystem, regime: TranslationRegime, granule: Granule, lifeline: Lifeline,
      redistributors: [RedistributorRegion], mappable: PhysicalRangeSet,
      digests: SHA256.Implementation, stage: StageImage, entry: PhysicalAddress,
      arguments: (UInt64, UInt64, UInt64, UInt64), record: PhysicalAddress? = nil,
      entrySize: UInt64 = 0, entryPageSize: Granule? = nil
    ) {
      self.system = system
      self.regime = regime
      self.granule = granule
      self.lifeline = lifeline
      self.redistributors = redistributors
      self.mappable = mappable
      self.digests = digests
      self.stage = stage
      self.entry = entry
      self.arguments = arguments
      self.record = record
      self.entrySize = entrySize
      self.entryPageSize = entryPageSize
    }
  }

  /// A page of 4 KiB for code of the loader's own that must survive; it is not mapped. Not written.
  public let controlPage: PhysicalAddress
  /// The stage with its block and tables.
  public let control: PhysicalRange
  /// Pages that have a source: those that stay where they are among them.
  public let pages: Int
  /// Entries of Linux's relocation list, links and end among them, or of its page backup list.
  public let entries: Int
  public let extents: Int
  public let tablePages: Int
  /// What preparing took; copying and digesting are no part of it.
  public let ticks: Ticks

  /// Ticks of the memory's clock.
  public struct Ticks: Sendable {
    /// Taking the pages and writing the list. With it goes the copying of what is not made up.
    public var list: UInt64
    /// The list's way into extents, and the tables.
    public var build: UInt64
    /// Encoding the block, with its checksum, and writing stage, block and tables.
    public var block: UInt64
  }

  /// Where the stage is entered.
  public var stageEntry: PhysicalAddress { control.start }

  /// Loads `segments` as Linux's kexec does: `Kimage`.
  ///
  /// - Throws: `RelayFailure`; every page that was taken from `supply` is given back.
  public init<Memory: LoaderMemory>(
    _ segments: [LoadSegment], _ request: Request, from supply: PageSupply, into memory: Memory
  ) throws(RelayFailure) {
    // Where nothing moves, everything is in its place already.
    let moved = request.system == .none ? [] : segments
    var image = try Self.image(of: moved, request, from: supply, into: memory)
    let room: PhysicalRange
    var ticks = memory.ticks
    do throws(KimageError) {
      room = try image.takeControlPages(
        order: Self.controlOrder(
          pages: Self.pageCount(of: moved, request.granule), segments, request))
      for (index, segment) in moved.enumerated() {
        if segment.isDigestedFromCopy {
          try image.reserve(index)
        } else {
          try segment.read(from: 0, size: segment.size, in: memory) { bytes throws(KimageError) in
            try image.load(index, bytes)
          }
        }
      }
      _ = try image.finish()
    } catch {
      throw RelayFailure(error)
    }
    let listTicks = memory.ticks - ticks
    ticks = memory.ticks
    let extents = image.extents()
    let waiting = Waiting(
      extents: extents, pages: image.sourcePages, entries: image.listLength,
      sources: image.sourceHull, listTicks: listTicks, extentTicks: memory.ticks - ticks)
    if request.system == .none {
      for segment in segments {
        segment.read(from: 0, size: segment.size, in: memory) {
          memory.write($0, at: segment.start)
        }
        memory.clear(
          PhysicalRange(segment.start + segment.size, upTo: segment.destination.end))
        memory.clean(segment.destination)
      }
    }
    Self.fill(extents, of: moved, memory)
    do throws(RelayFailure) {
      try self.init(segments, waiting, request, in: room, memory)
    } catch {
      image.release()
      throw error
    }
  }

  private static func image<Memory: LoaderMemory>(
    of segments: [LoadSegment], _ request: Request, from supply: PageSupply, into memory: Memory
  ) throws(RelayFailure) -> Kimage<PageSupply, CleanedMemory<Memory>> {
    do throws(KimageError) {
      return try Kimage(
        segments: segments.map { $0.pages(request.granule) }, granule: request.granule,
        allocator: supply, memory: CleanedMemory(memory: memory))
    } catch {
      throw RelayFailure(error)
    }
  }

  /// Where the control pages of `init(restoring:)` go.
  ///
  /// - Throws: `.noMemory`.
  public static func controlPages(
    toRestore segments: [LoadSegment], _ request: Request, from supply: PageSupply
  ) throws(RelayFailure) -> PhysicalRange {
    let order = controlOrder(
      pages: pageCount(of: segments, request.granule), segments, request)
    guard let start = supply.allocate(order: order) else {
      throw .noMemory(pages: supply.outstanding)
    }
    return PhysicalRange(start, upTo: start + request.granule.pageSize << UInt64(order))
  }

  /// Copies `segments`, snapshots, as Linux's hibernation does, with a page backup list that
  /// restores them: `BackupList`. They are copied when all else that takes memory has been done.
  ///
  /// - Parameter room: what `controlPages(toRestore:)` has found, for the same.
  /// - Throws: `RelayFailure`; every page that was taken from `supply` is given back but `room`.
  public init<Memory: LoaderMemory>(
    restoring segments: [LoadSegment], _ request: Request, in room: PhysicalRange,
    from supply: PageSupply, into memory: Memory
  ) throws(RelayFailure) {
    let page = request.granule.pageSize
    var builder = BackupListBuilder(granule: request.granule, allocator: supply, memory: memory)
    var copies: [PhysicalAddress] = []
    let start = memory.ticks
    do throws(RelayFailure) {
      for segment in segments {
        for original in stride(
          from: segment.start.rawValue, to: segment.pages(request.granule).end.rawValue,
          by: Int(page))
        {
          guard let copy = supply.allocate(order: 0) else {
            throw .noMemory(pages: supply.outstanding)
          }
          copies.append(copy)
          do throws(KimageError) {
            try builder.append(copy: copy, original: PhysicalAddress(original))
          } catch {
            throw RelayFailure(error)
          }
        }
      }
      let listed = memory.ticks
      let extents = Self.extents(of: builder.list, count: builder.count, page, memory)
      let waiting = Waiting(
        extents: extents, pages: copies.count, entries: builder.count,
        sources: Self.hull(of: copies, page), listTicks: listed - start,
        extentTicks: memory.ticks - listed)
      for extent in extents {
        memory.copy(extent.size, from: extent.destination.start, to: extent.source.start)
        memory.clean(extent.source)
      }
      try self.init(segments, waiting, request, in: room, memory)
    } catch {
      builder.release()
      for copy in copies { supply.free(copy, order: 0) }
      throw error
    }
  }

  private static func extents<Memory: LoaderMemory>(
    of list: BackupList, count: Int, _ page: UInt64, _ memory: Memory
  ) -> [Extent] {
    do throws(EntryList.Malformed) {
      return try list.extents(pageSize: page, in: memory, limit: count)
    } catch {
      preconditionFailure("the list was just built")
    }
  }

  private static func hull(of pages: [PhysicalAddress], _ size: UInt64) -> PhysicalRange? {
    guard var first = pages.first else { return nil }
    var last = first
    for page in pages {
      first = min(first, page)
      last = max(last, page)
    }
    return PhysicalRange(first, upTo: last + size)
  }

  private init<Memory: LoaderMemory>(
    _ segments: [LoadSegment], _ waiting: Waiting, _ request: Request, in room: PhysicalRange,
    _ memory: Memory
  ) throws(RelayFailure) {
    let pieces = Self.pieces(segments, waiting.extents, request.digests, memory)
    var destinations = PhysicalRangeSet()
    for segment in segments { destinations.insert(segment.pages(request.granule)) }
    let start = memory.ticks
    let layout = try Control.Layout(
      request, extents: waiting.extents,
      touched: Self.touched(
        waiting.sources, destinations, in: request.mappable, request.granule),
      destinations: destinations, pieces: pieces.count,
      in: PhysicalRange(room.start + StageImage.baseAlignment, upTo: room.end))
    let built = memory.ticks
    let control = Control(request, layout, pieces: pieces)
    control.write(to: memory)
    self.control = layout.place
    controlPage = room.start
    tablePages = layout.tableWords.count * 8 / Int(request.granule.pageSize)
    pages = waiting.pages
    entries = waiting.entries
    extents = waiting.extents.count
    ticks = Ticks(
      list: waiting.listTicks, build: waiting.extentTicks + built - start,
      block: memory.ticks - built)
  }
}

/// All memory that a program can name: without the first page, whose address is no pointer.
public enum Everywhere {
  public static var range: PhysicalRange {
    PhysicalRange(PhysicalAddress(65536), upTo: PhysicalAddress(1 << 48))
  }
}
