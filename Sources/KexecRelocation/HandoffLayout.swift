import ArmTranslation
import PhysicalMemory

/// Everything about a handoff that has to be known before its content can be written: where each
/// part will lie, and which translation tables map it.
///
/// The device tree names the initrd's place, and the handoff block holds the device tree's digest:
/// so places come first (`HandoffLayout`), content second (`HandoffPlan`).
public struct HandoffLayout: Sendable {
  public let placement: Placement
  public let control: ControlRegion
  public let granule: Granule
  public let redistributors: [RedistributorRegion]
  /// The size of the next kernel's pages, or nil where it does not say.
  public let kernelPageSize: Granule?
  /// The CPUs that share the work, by their affinity; none: the stage works alone.
  public let processors: [UInt64]
  /// Tables for each regime asked for, sealed where they will lie.
  let tables: [TranslationTables<Sealed>]

  /// What a layout is made from.
  public struct Request: Sendable {
    public var stage: StageImage
    /// The regimes that the stage may be entered in: one where the running kernel's level is
    /// known, else one of each layout.
    public var regimes: [TranslationRegime]
    public var granule: Granule
    /// All memory that may be mapped cacheable: System RAM without its holes.
    public var ram: PhysicalRangeSet
    /// The console's registers, or nil where there is none.
    public var console: PhysicalRange?
    /// Where the interrupt controller's redistributors are.
    public var redistributors: [RedistributorRegion]
    /// The CPUs that may share the work, by their affinity (MPIDR_EL1), the one that will enter
    /// the stage among them; at most `ProcessorStacks.maximumCount`. Where there are fewer than
    /// two, the stage works alone.
    public var processors: [UInt64] = []
    /// The pieces that the handoff block will hold.
    public var pieceCount: Int
    /// What is to be placed; the layout fills in the control region's size.
    public var placement: PlacementRequest

    public init(
      stage: StageImage, regimes: [TranslationRegime], granule: Granule, ram: PhysicalRangeSet,
      console: PhysicalRange?, redistributors: [RedistributorRegion] = [], pieceCount: Int,
      placement: PlacementRequest
    ) {
      self.stage = stage
      self.regimes = regimes
      self.granule = granule
      self.ram = ram
      self.console = console
      self.redistributors = redistributors
      self.pieceCount = pieceCount
      self.placement = placement
    }
  }

  /// Places everything and builds the tables.
  ///
  /// - Throws: `HandoffError`.
  public init(_ request: Request) throws(HandoffError) {
    let sharesWork = request.processors.count > 1
    let stacks = ProcessorStacks(
      count: sharesWork ? request.processors.count : 0, granule: request.granule)
    // Of what is staged, the stage may have to move the kernel and the initrd, and it looks at the
    // canary and the guard's tail.
    let isStaged = request.placement.crashRegion != nil
    let blockSize = HandoffBlock.size(
      extents: isStaged ? 2 : 0, pieces: request.pieceCount + (isStaged ? 2 : 0),
      redistributors: request.redistributors.count, processors: stacks.count)
    guard blockSize <= HandoffBlockView.maximumSize else {
      throw .tooLarge(pieces: request.pieceCount)
    }
    // How many tables there are follows from where things lie, and that from how many tables
    // there are. Few pages are enough nearly always; where they are not, the number only grows.
    var pages = 8
    while true {
      let control = ControlRegion(
        stage: request.stage, blockSize: blockSize, tablePages: pages, granule: request.granule)
      guard control.size <= UInt64(ControlRegion.maximumSize) else {
        throw .tooManyTables(pages: pages)
      }
      var placementRequest = request.placement
      placementRequest.controlSize = control.size
      placementRequest.controlAlignment = control.alignment
      placementRequest.stacksSize = stacks.size
      let placement: Placement
      do throws(PlacementError) { placement = try placementRequest.place() } catch {
        throw .placement(error)
      }
      var building: [TranslationTables<Building>] = []
      var needed = 0
      for regime in request.regimes {
        let tables = try HandoffLayout.map(
          request, regime: regime, placement: placement, blockOffset: control.blockOffset,
          stacks: placement.stacks.map { stacks.mapped(from: $0.start) } ?? [])
        needed += tables.pageCount
        building.append(tables)
      }
      guard needed <= pages else {
        pages = needed
        continue
      }
      self.control = ControlRegion(
        stage: request.stage, blockSize: blockSize, tablePages: needed, granule: request.granule)
      self.placement = Placement(
        kernel: placement.kernel, initrd: placement.initrd, deviceTree: placement.deviceTree,
        coreHeader: placement.coreHeader,
        control: PhysicalRange(
          placement.control.start, upTo: placement.control.start + self.control.size),
        stacks: placement.stacks, staging: placement.staging)
      processors = placement.stacks == nil ? [] : request.processors
      self.granule = request.granule
      self.redistributors = request.redistributors
      kernelPageSize = request.placement.kernel.pageSize
      self.tables = try HandoffLayout.seal(
        building, at: placement.control.start + control.tableOffset,
        pageSize: request.granule.pageSize)
      return
    }
  }

  /// Where the stage is entered.
  public var stageEntry: PhysicalAddress { placement.control.start }

  public var blockAddress: PhysicalAddress { placement.control.start + control.blockOffset }

  /// The memory of all tables together.
  public var tableMemory: PhysicalRange {
    let start = placement.control.start + control.tableOffset
    return PhysicalRange(start, upTo: start + control.tableSize)
  }

  /// The tables' content, in order.
  var tableWords: [UInt64] {
    var words: [UInt64] = []
    for tables in tables { words += tables.words }
    return words
  }

  /// The registers for the regimes of EL1's layout, or of EL2's own.
  func translation(el2Layout: Bool) -> HandoffBlock.Translation? {
    for tables in tables where (tables.control.regime == .el2) == el2Layout {
      return HandoffBlock.Translation(
        root: tables.root, tcr: tables.control.tcr, mair: tables.control.mair)
    }
    return nil
  }

  /// An identity map of everything that the stage touches, and of as much memory around it as
  /// makes the blocks largest. Only the stage's code can be executed, and nothing of the stage but
  /// its writable section can be written.
  private static func map(
    _ request: Request, regime: TranslationRegime, placement: Placement, blockOffset: UInt64,
    stacks: [PhysicalRange]
  ) throws(HandoffError) -> TranslationTables<Building> {
    let page = request.granule.pageSize
    let base = placement.control.start
    func pages(_ offset: UInt64, _ size: UInt64) -> PhysicalRange {
      let range = PhysicalRange(base + offset, upTo: base + offset + size)
      return range.alignedOutward(to: page) ?? range
    }
    let stage = request.stage
    let parts: [(PhysicalRange, MemoryKind)] = [
      (pages(stage.code.offset, stage.code.memorySize), .code),
      (pages(stage.constants.offset, stage.constants.memorySize), .readOnlyData),
      (pages(stage.writable.offset, stage.writable.memorySize), .data),
      // Up to the end of the region. The tables among it need no mapping, and get none of their
      // own that they could be written through.
      (pages(blockOffset, placement.control.size - blockOffset), .readOnlyData),
    ]

    var touched = PhysicalRangeSet([placement.kernel, placement.deviceTree, placement.control])
    if let initrd = placement.initrd { touched.insert(initrd) }
    if let header = placement.coreHeader { touched.insert(header) }
    for range in placement.staging?.extraRanges ?? [] { touched.insert(range) }
    let format = AddressFormat(holding: touched.ranges.last?.end ?? PhysicalAddress(0))
    var data: PhysicalRangeSet
    do throws(BlockCoverError) {
      data = try request.ram.blockCover(of: touched, granule: request.granule, format: format)
    } catch {
      switch error {
      case .outsideMemory(let range): throw .notInMemory(range)
      }
    }
    // Holes around the stage, too: a stack that overflows meets one.
    data.subtract(placement.control.alignedOutward(to: page) ?? placement.control)
    if let place = placement.stacks { data.subtract(place) }

    var tables = TranslationTables(regime: regime, granule: request.granule, format: format)
    do throws(MappingError) {
      try tables.map(data, as: .data)
      for (range, kind) in parts { try tables.map(Mapping(range, as: kind)) }
      for stack in stacks { try tables.map(Mapping(stack, as: .data)) }
      if let console = request.console {
        try tables.map(Mapping(console.alignedOutward(to: page) ?? console, as: .device))
      }
    } catch {
      throw .mapping(error)
    }
    return tables
  }

  private static func seal(
    _ building: [TranslationTables<Building>], at start: PhysicalAddress,
    pageSize: UInt64
  ) throws(HandoffError) -> [TranslationTables<Sealed>] {
    var sealed: [TranslationTables<Sealed>] = []
    var next = start
    for tables in building {
      let size = UInt64(tables.pageCount) * pageSize
      do throws(TableMemoryError) {
        let done = try tables.seal(in: PhysicalRange(next, upTo: next + size))
        next = done.memory.end
        sealed.append(done)
      } catch {
        throw .tableMemory(error)
      }
    }
    return sealed
  }
}
