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
  public let tablePages: Int
  /// What building extents, tables and block took, copying and digesting apart.
  public let buildTicks: UInt64

  /// Where the stage is entered.
  public var stageEntry: PhysicalAddress { control.start }

  /// Loads `segments`.
  ///
  /// - Throws: `RelayFailure`; every page that was taken from `supply` is given back.
  public init<Memory: LoaderMemory>(
    _ segments: [LoadSegment], _ request: Request, layout: SourceLayout, failingRequest: Int? = nil,
    into memory: Memory
  ) throws(RelayFailure) {
    let page = request.granule.pageSize
    let pageCount = Self.pageCount(of: segments, page)
    let region = try Self.region(for: segments, request)
    var free = request.free
    free.subtract(region)
    var supply = PageSupply(free, pageSize: page, layout: layout)
    supply.failingRequest = failingRequest

    var ticks = memory.ticks
    var build: UInt64 = 0
    var extents: [Extent] = []
    var touched = PhysicalRangeSet()
    for segment in segments {
      var offset: UInt64 = 0
      while offset < segment.size {
        guard let source = supply.take() else { throw .noMemory(pages: supply.outstanding) }
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
    touched = Self.hulls(of: extents, in: request.mappable)
    build += memory.ticks - ticks

    for extent in extents { Self.fill(extent, segments, memory) }
    let pieces = Self.pieces(segments, extents, request.digests, memory)

    ticks = memory.ticks
    var stage = request.stage
    stage.setLifeline(request.lifeline)
    let blockSize = HandoffBlock.size(
      extents: extents.count, pieces: pieces.count, redistributors: request.redistributors.count)
    controlPage = region.start
    let base = region.start + StageImage.baseAlignment
    var tablePages = 8
    while true {
      let control = ControlRegion(
        stage: stage, blockSize: blockSize, tablePages: tablePages, granule: request.granule)
      guard base + control.size <= region.end else { throw .tooLarge(bytes: control.size) }
      let place = PhysicalRange(base, upTo: base + control.size)
      let building = try Self.map(request, touched: touched, control: control, at: place)
      guard building.pageCount <= tablePages else {
        tablePages = building.pageCount
        continue
      }
      let tables: TranslationTables<Sealed>
      do throws(TableMemoryError) {
        tables = try building.seal(
          in: PhysicalRange(base + control.tableOffset, upTo: place.end))
      } catch {
        throw .tableMemory(error)
      }
      let translation = HandoffBlock.Translation(
        root: tables.root, tcr: tables.control.tcr, mair: tables.control.mair)
      let block = HandoffBlock(
        address: base + control.blockOffset, lifeline: request.lifeline,
        entry: request.entryInControlPage.map { region.start + $0 } ?? request.entry,
        arguments: request.arguments, tables: tables.memory, granule: request.granule,
        el1Layout: request.regime == .el2 ? nil : translation,
        el2Layout: request.regime == .el2 ? translation : nil, extents: extents, pieces: pieces,
        record: request.record, redistributors: request.redistributors,
        kernelMemorySize: request.entrySize, kernelPageSize: request.entryPageSize)
      let blockWords = block.encoded(
        code: stage.code.words.span, constants: stage.constants.words.span,
        tables: tables.words.span)
      // Sound, all: words have no padding.
      memory.write(unsafe stage.code.words.span.bytes, at: base + stage.code.offset)
      memory.write(unsafe stage.constants.words.span.bytes, at: base + stage.constants.offset)
      let writable = base + stage.writable.offset
      memory.clear(PhysicalRange(writable, upTo: writable + stage.writable.memorySize))
      memory.write(unsafe blockWords.span.bytes, at: base + control.blockOffset)
      memory.write(unsafe tables.words.span.bytes, at: tables.memory.start)
      memory.clean(place)
      self.control = place
      self.tablePages = building.pageCount
      break
    }
    pages = pageCount
    self.extents = extents.count
    buildTicks = build + memory.ticks - ticks
  }

  static func pageCount(of segments: [LoadSegment], _ page: UInt64) -> Int {
    var count = 0
    for segment in segments { count += Int((segment.size + page - 1) / page) }
    return count
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
