import ArmTranslation
import KexecRelocation
import PhysicalMemory

extension RelayLoad {
  /// The control pages' content: the stage, its block, its tables.
  struct Control {
    private let layout: Layout
    private let stage: StageImage
    private let blockWords: [UInt64]

    /// Where they lie, and the tables.
    struct Layout {
      let place: PhysicalRange
      let tables: RelocationMap.Tables
      /// What lies in them.
      let tableWords: [UInt64]
      fileprivate let region: ControlRegion
      fileprivate let strategy: HandoffBlock.Strategy
      /// As the block lists them.
      fileprivate let extents: [Extent]

      /// - Parameter room: where they go; they begin where it does.
      init(
        _ request: Request, extents: [Extent], touched: PhysicalRangeSet,
        destinations: PhysicalRangeSet, pieces: Int, in room: PhysicalRange
      ) throws(RelayFailure) {
        let base = room.start
        // In the contiguous map there are few, whatever there were: as many as turns of moving and of
        // making zeros.
        var listed = request.system == .contiguous ? min(extents.count, 256) : extents.count
        let joined = request.system == .contiguous ? JoinedExtents(extents) : nil
        // What scattered pages take; where it is not enough, what is needed is known behind the first
        // turn, which takes a look at no page.
        var tablePages =
          Control.fewTablePages + (joined?.tablesOfScatteredSources(request.granule) ?? 0)
        while true {
          let blockSize = HandoffBlock.size(
            extents: listed, pieces: pieces, redistributors: request.redistributors.count)
          // The stage would refuse it, when nobody is left to be told.
          guard blockSize <= HandoffBlockView.maximumSize else {
            throw .tooLarge(bytes: UInt64(blockSize))
          }
          let region = ControlRegion(
            stage: request.stage, blockSize: blockSize, tablePages: tablePages,
            granule: request.granule)
          guard base + region.size <= room.end, region.size <= UInt64(ControlRegion.maximumSize)
          else { throw .tooLarge(bytes: region.size) }
          let place = PhysicalRange(base, upTo: base + region.size)
          let map = try SystemMap(
            request, extents: extents, joined: joined, touched: touched, destinations: destinations,
            control: region, at: place)
          let needed = map.map.pageCount
          guard needed <= tablePages, map.extents.count <= listed else {
            tablePages = max(tablePages, needed)
            listed = max(listed, map.extents.count)
            continue
          }
          let sealed: RelocationMap.Tables?
          do throws(TableMemoryError) {
            sealed = try map.map.seal(
              in: PhysicalRange(base + region.tableOffset, upTo: place.end))
          } catch {
            throw .tableMemory(error)
          }
          guard let sealed else { preconditionFailure("every system here has tables") }
          tables = sealed
          tableWords = sealed.words
          strategy = map.strategy
          self.extents = map.extents
          self.place = place
          self.region = region
          return
        }
      }
    }

    /// What tables take, in pages, but those of the contiguous map, and but for memory of many
    /// ranges.
    private static let fewTablePages = 8

    /// The most that tables take, in pages, wherever `pages` that are moved or made zeros come to lie.
    static func mostTablePages(_ request: Request, pages: Int) -> Int {
      guard request.system == .contiguous else { return fewTablePages }
      // Two windows, each with an entry for each page; and their ends, the levels above them, and what
      // other maps take.
      let entries = Int(request.granule.pageSize / 8)
      return 2 * fewTablePages + 2 * ((pages + entries - 1) / entries)
    }

    init(_ request: Request, _ layout: Layout, pieces: [Piece]) {
      var stage = request.stage
      stage.setLifeline(request.lifeline)
      let base = layout.place.start
      let region = layout.region
      let translation = layout.tables.translation
      // Nothing moves, nothing is mapped: the stage leaves as it was entered.
      let isMapped = request.system != .none
      let none = PhysicalRange(base + region.tableOffset, upTo: base + region.tableOffset)
      let block = HandoffBlock(
        address: base + region.blockOffset, lifeline: request.lifeline,
        // The control page lies a stride below the stage.
        entry: request.entryInControlPage.map {
          PhysicalAddress(base.rawValue - StageImage.baseAlignment + $0)
        } ?? request.entry,
        arguments: request.arguments, tables: isMapped ? layout.tables.memory : none,
        granule: request.granule,
        el1Layout: isMapped && request.regime != .el2 ? translation : nil,
        el2Layout: isMapped && request.regime == .el2 ? translation : nil,
        strategy: layout.strategy, extents: layout.extents, pieces: pieces, record: request.record,
        redistributors: request.redistributors, kernelStart: request.entry,
        kernelMemorySize: request.entrySize,
        // All of it is written here, zeros where the kernel has no bytes.
        kernelLoadedSize: request.entrySize,
        kernelPageSize: request.entryPageSize)
      blockWords = block.encoded(
        code: stage.code.words.span, constants: stage.constants.words.span,
        tables: (isMapped ? layout.tableWords : []).span)
      self.stage = stage
      self.layout = layout
    }

    /// Puts everything where it belongs, clean: the stage begins with the caches off.
    func write<Memory: LoaderMemory>(to memory: Memory) {
      let base = layout.place.start
      // Sound, all: words have no padding.
      memory.write(unsafe stage.code.words.span.bytes, at: base + stage.code.offset)
      memory.write(unsafe stage.constants.words.span.bytes, at: base + stage.constants.offset)
      let writable = base + stage.writable.offset
      memory.clear(PhysicalRange(writable, upTo: writable + stage.writable.memorySize))
      memory.write(unsafe blockWords.span.bytes, at: base + layout.region.blockOffset)
      memory.write(unsafe layout.tableWords.span.bytes, at: layout.tables.memory.start)
      memory.clean(layout.place)
    }
  }
}
