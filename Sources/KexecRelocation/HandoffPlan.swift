import BootDigests
import PhysicalMemory

/// A handoff, complete: what `kexec_load(2)` is given, and where.
public struct HandoffPlan: Sendable {
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
  }

  public let layout: HandoffLayout
  public let segments: [Segment]
  public let pieces: [Piece]
  /// Where the running kernel jumps: the stage.
  public var entry: PhysicalAddress { layout.stageEntry }

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
      el2Layout: layout.translation(el2Layout: true), extents: [], pieces: pieces,
      record: recordOffset.map { placement.deviceTree.start + UInt64($0) },
      redistributors: layout.redistributors, kernelMemorySize: placement.kernel.size,
      kernelPageSize: layout.kernelPageSize, processors: layout.processors, stacks: placement.stacks
    )
    let blockWords = block.encoded(
      code: stage.code.words.span, constants: stage.constants.words.span, tables: tableWords.span)

    let page = layout.granule.pageSize
    var segments: [Segment] = []
    func add(
      _ name: StaticString, _ content: Segment.Content, at start: PhysicalAddress, size: UInt64,
      memorySize: UInt64? = nil
    ) {
      let range = PhysicalRange(start, upTo: start + (memorySize ?? size))
      segments.append(
        Segment(
          name: name, content: content, size: size,
          destination: range.alignedOutward(to: page) ?? range))
    }
    // What a kernel needs beyond its bytes (bss) it clears by itself: kept free, not loaded.
    add("kernel", .given(.kernel), at: placement.kernel.start, size: UInt64(kernel.byteCount))
    if let place = placement.initrd {
      add("initrd", .given(.initrd), at: place.start, size: UInt64(initrd.byteCount))
    }
    add(
      "dtb", .given(.deviceTree), at: placement.deviceTree.start,
      size: UInt64(deviceTree.byteCount))
    if let place = placement.coreHeader {
      add("elfcorehdr", .words(coreHeader), at: place.start, size: place.size)
    }
    let base = layout.stageEntry
    add(
      "stage", .words(stage.code.words), at: base + stage.code.offset,
      size: UInt64(stage.code.words.count * 8), memorySize: stage.code.memorySize)
    add(
      "constants", .words(stage.constants.words), at: base + stage.constants.offset,
      size: UInt64(stage.constants.words.count * 8), memorySize: stage.constants.memorySize)
    add("writable", .zeros, at: base + stage.writable.offset, size: stage.writable.memorySize)
    add(
      "block", .words(blockWords), at: layout.blockAddress, size: UInt64(blockWords.count * 8))
    add(
      "tables", .words(tableWords), at: layout.tableMemory.start, size: layout.tableMemory.size)
    self.layout = layout
    self.segments = segments
  }
}
