import BootDigests
import CBatonArm64
import PhysicalMemory

/// A handoff, complete: what `kexec_load(2)` is given, and where.
public struct HandoffPlan: Sendable {
  /// Which of the kernel's two images a segment belongs to: the one that `kexec -e` starts, or the
  /// one that a panic does, in the crash region.
  public enum Slot: Sendable, Hashable {
    case normal
    case crash
  }

  /// One thing to be loaded.
  public struct Segment: Sendable {
    public enum Content: Sendable {
      /// The bytes that the caller gave for this role.
      case given(SegmentRole)
      case words([UInt64])
      /// Nothing but zeros.
      case zeros
    }

    /// The word for it in listings and messages.
    public let name: StaticString
    public let content: Content
    /// In bytes, without the zeros that fill the last page.
    public let size: UInt64
    /// Where it will lie, in whole pages of the running kernel; what the content does not fill is
    /// zero.
    public let destination: PhysicalRange
    public let slot: Slot
    /// Where the stage moves it; nil: it stays.
    public let final: PhysicalAddress?
  }

  public let layout: HandoffLayout
  public let segments: [Segment]
  public let pieces: [Piece]
  /// Where the running kernel jumps: the stage.
  public var entry: PhysicalAddress { layout.stageEntry }
  /// Where a panic of the running kernel jumps: the guard. Nil where nothing is staged.
  public var guardEntry: PhysicalAddress? {
    layout.placement.staging.map { $0.guardRange.start + UInt64(STAGE_GUARD_ENTRY) }
  }

  /// The number of pieces for segments of these sizes (kernel, initrd, device tree, a crash kernel's
  /// core header; in bytes, 0 where there is none), for the layout's request.
  public static func pieceCount(
    _ selection: PieceSelection, kernel: Int, initrd: Int, deviceTree: Int, coreHeader: Int = 0
  ) -> Int {
    var count = 0
    for ranges in selection.ranges(ofSegments: [kernel, initrd, deviceTree, coreHeader]) {
      count += ranges.count
    }
    return count
  }

  /// How many bytes the stage will compare for segments of these sizes, as above.
  public static func verifiedBytes(
    _ selection: PieceSelection, kernel: Int, initrd: Int, deviceTree: Int
  ) -> UInt64 {
    var sum = 0
    for ranges in selection.ranges(ofSegments: [kernel, initrd, deviceTree]) {
      for range in ranges { sum += range.count }
    }
    return UInt64(sum)
  }

  /// Digests the content, writes the handoff block and lists what is to be loaded.
  ///
  /// - Parameters:
  ///   - layout: made for content of these sizes.
  ///   - initrd: empty where there is none.
  ///   - coreHeader: a crash kernel's; empty where there is none.
  ///   - deviceTree: final: it names the places that the layout chose.
  ///   - digested: told of the number of bytes that are digested, each time it has grown.
  ///   - recordOffset: where in the device tree's bytes the stage leaves its record
  ///     (`struct baton_handoff_record`): zeros, a multiple of 4 from the start. Nil for none.
  public init(
    layout: HandoffLayout, stage: StageImage, kernel: RawSpan, initrd: RawSpan,
    deviceTree: RawSpan, coreHeader: [UInt64] = [], lifeline: Lifeline, selection: PieceSelection,
    digestingWith implementation: SHA256.Implementation, recordOffset: Int? = nil,
    digested: (UInt64) -> Void = { _ in }
  ) {
    let placement = layout.placement
    let ranges = selection.ranges(
      ofSegments: [
        kernel.byteCount, initrd.byteCount, deviceTree.byteCount, coreHeader.count * 8,
      ])
    var pieces: [Piece] = []
    var digestedBytes: UInt64 = 0
    // First, so that a dump kernel that was loaded since is told by its name.
    for range in layout.placement.staging?.untouched ?? [] {
      let zeros = [UInt64](repeating: 0, count: Int(range.size) / 8)
      pieces.append(
        Piece(
          role: .crashRegion, range: range,
          // Sound: zeros as the bytes that they are.
          digest: SHA256.digest(of: unsafe zeros.span.bytes, using: implementation)))
    }
    func digest(
      _ bytes: RawSpan, _ ranges: [Range<Int>], role: SegmentRole, at place: PhysicalRange
    ) {
      for range in ranges {
        let start = place.start + UInt64(range.lowerBound)
        pieces.append(
          Piece(
            role: role, range: PhysicalRange(start, upTo: start + UInt64(range.count)),
            digest: SHA256.digest(of: bytes.extracting(range), using: implementation)))
        digestedBytes += UInt64(range.count)
        digested(digestedBytes)
      }
    }
    digest(kernel, ranges[0], role: .kernel, at: placement.kernel)
    if let place = placement.initrd { digest(initrd, ranges[1], role: .initrd, at: place) }
    digest(deviceTree, ranges[2], role: .deviceTree, at: placement.deviceTree)
    if let place = placement.coreHeader {
      // Sound: a span of words as the bytes that they are.
      digest(unsafe coreHeader.span.bytes, ranges[3], role: .coreHeader, at: place)
    }
    self.pieces = pieces

    var stage = stage
    stage.setLifeline(lifeline)
    let tableWords = layout.tableWords
    let block = HandoffBlock(
      address: layout.blockAddress, lifeline: lifeline, entry: placement.kernel.start,
      arguments: (placement.deviceTree.start.rawValue, 0, 0, 0), tables: layout.tableMemory,
      granule: layout.granule, el1Layout: layout.translation(el2Layout: false),
      el2Layout: layout.translation(el2Layout: true), extents: HandoffPlan.extents(placement),
      pieces: pieces,
      record: recordOffset.map { placement.deviceTree.start + UInt64($0) },
      redistributors: layout.redistributors, kernelMemorySize: placement.kernel.size,
      kernelLoadedSize: UInt64(kernel.byteCount),
      kernelPageSize: layout.kernelPageSize, processors: layout.processors, stacks: placement.stacks
    )
    let blockWords = block.encoded(
      code: stage.code.words.span, constants: stage.constants.words.span, tables: tableWords.span)

    let page = layout.granule.pageSize
    var segments: [Segment] = []
    func add(
      _ name: StaticString, _ content: Segment.Content, at start: PhysicalAddress, size: UInt64,
      memorySize: UInt64? = nil, slot: Slot = .normal, final: PhysicalAddress? = nil
    ) {
      let range = PhysicalRange(start, upTo: start + (memorySize ?? size))
      segments.append(
        Segment(
          name: name, content: content, size: size,
          destination: range.alignedOutward(to: page) ?? range, slot: slot, final: final))
    }
    // What a kernel needs beyond its bytes (bss) it clears by itself: kept free, not loaded.
    func add(
      _ role: SegmentRole, size: Int, at start: PhysicalAddress, _ place: Staging.Place?
    ) {
      let content = Segment.Content.given(role)
      let size = UInt64(size)
      switch place {
      case nil, .relocated: add(role.name, content, at: start, size: size)
      case .inPlace: add(role.name, content, at: start, size: size, slot: .crash)
      case .moved(let source):
        add(role.name, content, at: source.start, size: size, slot: .crash, final: start)
      }
    }
    let staging = placement.staging
    add(.kernel, size: kernel.byteCount, at: placement.kernel.start, staging?.kernel)
    if let place = placement.initrd {
      add(.initrd, size: initrd.byteCount, at: place.start, staging?.initrd)
    }
    add(
      .deviceTree, size: deviceTree.byteCount, at: placement.deviceTree.start,
      staging?.deviceTree)
    if let place = placement.coreHeader {
      add("elfcorehdr", .words(coreHeader), at: place.start, size: place.size)
    }
    func add(
      _ name: StaticString, _ section: StageImage.Section, from base: PhysicalAddress, slot: Slot
    ) {
      add(
        name, .words(section.words), at: base + section.offset,
        size: UInt64(section.words.count * 8), memorySize: section.memorySize, slot: slot)
    }
    let base = layout.stageEntry
    add("stage", stage.code, from: base, slot: .normal)
    add("constants", stage.constants, from: base, slot: .normal)
    add("writable", .zeros, at: base + stage.writable.offset, size: stage.writable.memorySize)
    add(
      "block", .words(blockWords), at: layout.blockAddress, size: UInt64(blockWords.count * 8))
    add(
      "tables", .words(tableWords), at: layout.tableMemory.start, size: layout.tableMemory.size)
    if let staging {
      add("canary", .zeros, at: staging.canary.start, size: staging.canary.size, slot: .crash)
      add("guard", stage.code, from: staging.guardRange.start, slot: .crash)
      add("guard-ro", stage.constants, from: staging.guardRange.start, slot: .crash)
      add(
        "guard-rw", .zeros, at: staging.guardTail.start, size: staging.guardTail.size,
        slot: .crash)
    }
    self.layout = layout
    self.segments = segments
  }

  /// What the stage has to move. Both ends are whole pages, so that rounding up stays inside.
  private static func extents(_ placement: Placement) -> [Extent] {
    guard let staging = placement.staging else { return [] }
    var extents: [Extent] = []
    func add(_ place: Staging.Place, to destination: PhysicalRange?) {
      guard case .moved(let source) = place, let destination else { return }
      let size = (source.size + Extent.unit - 1) & ~(Extent.unit - 1)
      guard
        let extent = Extent(source: source.start, destination: destination.start, size: size)
      else { preconditionFailure("a source in the crash region is a destination") }
      extents.append(extent)
    }
    add(staging.kernel, to: placement.kernel)
    add(staging.initrd, to: placement.initrd)
    // Several CPUs move them, in any order.
    for extent in extents {
      for other in extents {
        precondition(!extent.source.overlaps(other.destination), "a source is a destination")
      }
    }
    return extents
  }
}
