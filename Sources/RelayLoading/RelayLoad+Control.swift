import ArmTranslation
import KexecRelocation
import PhysicalMemory

extension RelayLoad {
  /// The control pages' content: the stage, its block, its tables.
  struct Control {
    let place: PhysicalRange
    let tables: RelocationMap.Tables
    private let region: ControlRegion
    private let stage: StageImage
    private let blockWords: [UInt64]

    /// - Parameter room: where they go; they begin where it does.
    init(
      _ request: Request, extents: [Extent], touched: PhysicalRangeSet,
      destinations: PhysicalRangeSet, pieces: [Piece], in room: PhysicalRange
    ) throws(RelayFailure) {
      var stage = request.stage
      stage.setLifeline(request.lifeline)
      let base = room.start
      var tablePages = 8
      while true {
        let region = ControlRegion(
          stage: stage,
          blockSize: HandoffBlock.size(
            extents: request.system == .contiguous ? 1 : extents.count, pieces: pieces.count,
            redistributors: request.redistributors.count),
          tablePages: tablePages, granule: request.granule)
        guard base + region.size <= room.end, region.size <= UInt64(ControlRegion.maximumSize)
        else { throw .tooLarge(bytes: region.size) }
        let place = PhysicalRange(base, upTo: base + region.size)
        let map = try SystemMap(
          request, extents: extents, touched: touched, destinations: destinations, control: region,
          at: place)
        let needed = map.map.pageCount
        guard needed <= tablePages else {
          tablePages = needed
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
        let translation = tables.translation
        // Nothing moves, nothing is mapped: the stage leaves as it was entered.
        let isMapped = request.system != .none
        let none = PhysicalRange(base + region.tableOffset, upTo: base + region.tableOffset)
        let block = HandoffBlock(
          address: base + region.blockOffset, lifeline: request.lifeline,
          // The control page lies a stride below the stage.
          entry: request.entryInControlPage.map {
            PhysicalAddress(base.rawValue - StageImage.baseAlignment + $0)
          } ?? request.entry,
          arguments: request.arguments, tables: isMapped ? tables.memory : none,
          granule: request.granule,
          el1Layout: isMapped && request.regime != .el2 ? translation : nil,
          el2Layout: isMapped && request.regime == .el2 ? translation : nil, strategy: map.strategy,
          extents: map.extents, pieces: pieces, record: request.record,
          redistributors: request.redistributors, kernelMemorySize: request.entrySize,
          kernelPageSize: request.entryPageSize)
        blockWords = block.encoded(
          code: stage.code.words.span, constants: stage.constants.words.span,
          tables: (isMapped ? tables.words : []).span)
        self.place = place
        self.region = region
        self.stage = stage
        return
      }
    }

    /// Puts everything where it belongs, clean: the stage begins with the caches off.
    func write<Memory: LoaderMemory>(_ request: Request, to memory: Memory) {
      let base = place.start
      // Sound, all: words have no padding.
      memory.write(unsafe stage.code.words.span.bytes, at: base + stage.code.offset)
      memory.write(unsafe stage.constants.words.span.bytes, at: base + stage.constants.offset)
      let writable = base + stage.writable.offset
      memory.clear(PhysicalRange(writable, upTo: writable + stage.writable.memorySize))
      memory.write(unsafe blockWords.span.bytes, at: base + region.blockOffset)
      memory.write(unsafe tables.words.span.bytes, at: tables.memory.start)
      memory.clean(place)
    }
  }
}
