import ArmTranslation
import BootDigests
import KexecRelocation
import PhysicalMemory

/// A program loaded as kernels load one: its pages scattered over memory, an extent for each run,
/// the stage with tables and block in control pages. Everything is in memory; what is left is to
/// enter the stage.
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
    /// What may hold sources and control pages: no destination, and nothing that the loader needs.
    public var free: PhysicalRangeSet
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
      redistributors: [RedistributorRegion], mappable: PhysicalRangeSet, free: PhysicalRangeSet,
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
      self.free = free
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
  public let pages: Int
  public let extents: Int
  /// The entries of Linux's list for the same: a destination a segment, a source a page, an
  /// indirection a page of entries, and the end.
  public var entries: Int {
    let plain = pages + segmentCount + 1
    return plain + plain / 511
  }
  private let segmentCount: Int
  public let tablePages: Int
  /// What building extents, tables and block took, copying and digesting apart.
  public let buildTicks: UInt64

  /// Where the stage is entered.
  public var stageEntry: PhysicalAddress { control.start }

  /// Loads `segments`.
  ///
  /// - Throws: `RelayFailure`; every page that was taken from `supply` is given back.
  public init<Memory: LoaderMemory>(
    _ segments: [LoadSegment], _ request: Request, from supply: inout PageSupply,
    into memory: Memory
  ) throws(RelayFailure) {
    let page = request.granule.pageSize
    let pageCount = Self.pageCount(of: segments, page)
    let region = try Self.region(for: segments, request)
    var ticks = memory.ticks
    var build: UInt64 = 0
    let extents = try Self.take(segments, request, from: &supply)
    var destinations = PhysicalRangeSet()
    for segment in segments {
      destinations.insert(segment.destination.alignedOutward(to: page) ?? segment.destination)
    }
    let touched = Self.hulls(of: extents, in: request.mappable)
    build += memory.ticks - ticks

    if request.system == .none {
      for segment in segments {
        segment.read(from: 0, size: segment.size, in: memory) {
          memory.write($0, at: segment.start)
        }
        memory.clean(segment.destination)
      }
    }
    for extent in extents { Self.fill(extent, segments, memory) }
    let pieces = Self.pieces(segments, extents, request.digests, memory)

    ticks = memory.ticks
    let control: Control
    do throws(RelayFailure) {
      control = try Control(
        request, extents: extents, touched: touched, destinations: destinations, pieces: pieces,
        in: PhysicalRange(region.start + StageImage.baseAlignment, upTo: region.end))
    } catch {
      Self.giveBack(extents, page, to: &supply)
      throw error
    }
    control.write(request, to: memory)
    self.control = control.place
    controlPage = region.start
    tablePages = control.tables.words.count * 8 / Int(page)
    pages = pageCount
    segmentCount = segments.count
    self.extents = extents.count
    buildTicks = build + memory.ticks - ticks
  }

  static func pageCount(of segments: [LoadSegment], _ page: UInt64) -> Int {
    var count = 0
    for segment in segments { count += Int((segment.size + page - 1) / page) }
    return count
  }

  /// Where pages for sources may be taken: all that is free but the control pages' place.
  public static func supply(
    for segments: [LoadSegment], _ request: Request, layout: SourceLayout
  ) throws(RelayFailure) -> PageSupply {
    var free = request.free
    free.subtract(try region(for: segments, request))
    return PageSupply(free, pageSize: request.granule.pageSize, layout: layout)
  }

  /// A page for each of the segments', as runs.
  private static func take(
    _ segments: [LoadSegment], _ request: Request, from supply: inout PageSupply
  ) throws(RelayFailure) -> [Extent] {
    let page = request.granule.pageSize
    var extents: [Extent] = []
    // Everything is in its place already.
    guard request.system != .none else {
      return extents
    }
    for segment in segments {
      var offset: UInt64 = 0
      while offset < segment.size {
        guard let source = supply.take() else {
          let taken = supply.outstanding
          giveBack(extents, page, to: &supply)
          throw .noMemory(pages: taken)
        }
        let target = segment.start + offset
        if let last = extents.last, last.source.end == source, last.destination.end == target,
          let longer = Extent(
            source: last.source.start, destination: last.destination.start, size: last.size + page)
        {
          extents[extents.count - 1] = longer
        } else if let extent = Extent(source: source, destination: target, size: page) {
          extents.append(extent)
        }
        offset += page
      }
    }
    return extents
  }

  private static func giveBack(
    _ extents: [Extent], _ page: UInt64, to supply: inout PageSupply
  ) {
    for extent in extents {
      for offset in stride(from: 0, to: extent.size, by: Int(page)) {
        supply.giveBack(extent.source.start + offset)
      }
    }
  }

  /// Where the control pages go: as much as they can take, because the scattered pages leave no room
  /// later.
  public static func region(
    for segments: [LoadSegment], _ request: Request
  ) throws(RelayFailure) -> PhysicalRange {
    let block = HandoffBlock.size(
      extents: pageCount(of: segments, request.granule.pageSize),
      pieces: PieceCount.of(segments), redistributors: request.redistributors.count)
    let size = (UInt64(block) + 0x80_0000) & ~0x1F_FFFF
    guard
      let region = request.free.highestFit(
        size: size, alignment: 2 << 20, within: Everywhere.range)
    else { throw .noMemory(pages: 0) }
    return region
  }
}

/// All memory that a program can name: without the first page, whose address is no pointer.
public enum Everywhere {
  public static var range: PhysicalRange {
    PhysicalRange(PhysicalAddress(65536), upTo: PhysicalAddress(1 << 48))
  }
}
