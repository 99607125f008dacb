import ArmTranslation
import CBatonArm64
import PhysicalMemory

/// Extents as the contiguous map shows them: sources end to end, destinations end to end, and cut
/// only where zeros are made.
///
/// It is made once from all extents, in one pass of a few instructions for each; what is done with it
/// takes a look at each only where that is long.
public struct JoinedExtents: Sendable {
  /// In the order of the extents.
  let sources: EndToEnd
  /// Likewise, joined where they lie side by side, as they do wherever sources were scattered.
  let destinations: EndToEnd
  /// By turns moved and made zeros, in bytes; the first is moved, if only nothing.
  private let turns: [UInt64]

  public init(_ extents: [Extent]) {
    var sourceSize: UInt64 = 0
    var startBits: UInt64 = 0
    var endBits: UInt64 = 0
    var destinations = EndToEnd()
    var runStart: UInt64 = 0
    var runEnd: UInt64 = 0
    var turns: [UInt64] = []
    // What was moved when the turn began.
    var turnStart: UInt64 = 0
    // Sound: each extent puts down one range at the most, what is put down is counted, and the extents
    // live while they are looked at.
    let sources = unsafe [PhysicalRange](unsafeUninitializedCapacity: extents.count) {
      (sources, count) in
      unsafe extents.withUnsafeBufferPointer { extents in
        var used = 0
        var index = 0

        func put(_ extent: Extent) {
          let target = extent.destinationStart
          if target != runEnd {
            destinations.append(runStart, upTo: runEnd)
            runStart = target
          }
          runEnd = target &+ extent.size
          index &+= 1
        }

        while index < extents.count {
          if unsafe extents[index].isZeros {
            turns.append(sourceSize &- turnStart)
            turnStart = sourceSize
            var zeros: UInt64 = 0
            repeat {
              zeros &+= unsafe extents[index].size
              unsafe put(extents[index])
            } while unsafe index < extents.count && extents[index].isZeros
            turns.append(zeros)
          } else {
            repeat {
              let extent = unsafe extents[index]
              let start = extent.sourceStart
              let end = start &+ extent.size
              unsafe sources[used] = PhysicalRange(
                PhysicalAddress(start), upTo: PhysicalAddress(end))
              used &+= 1
              sourceSize &+= extent.size
              startBits |= start
              endBits |= end
              put(extent)
            } while unsafe index < extents.count && !extents[index].isZeros
          }
        }
        count = used
      }
    }
    destinations.append(runStart, upTo: runEnd)
    turns.append(sourceSize &- turnStart)
    self.sources = EndToEnd(
      ranges: sources, size: sourceSize, startBits: startBits, endBits: endBits)
    self.destinations = destinations
    self.turns = turns
  }

  /// The tables that sources take where each is mapped page by page; 0 where one may take blocks.
  public func tablesOfScatteredSources(_ granule: Granule) -> Int {
    guard !sources.mayHoldBlocks(granule) else { return 0 }
    let tableSize = granule.smallestBlock
    return Int((sources.size + tableSize - 1) / tableSize)
  }

  /// One extent for each turn.
  ///
  /// - Parameters:
  ///   - sources: where the first source appears.
  ///   - destinations: where the first destination does.
  func extents(sources: UInt64, destinations: UInt64) -> [Extent] {
    var extents: [Extent] = []
    var source = sources
    var target = destinations
    for (index, size) in turns.enumerated() where size > 0 {
      let isZeros = index % 2 != 0
      extents.append(Extent(unchecked: isZeros ? BATON_EXTENT_ZEROS : source, target, size))
      if !isZeros { source &+= size }
      target &+= size
    }
    return extents
  }
}

extension JoinedExtents {
  /// Ranges that appear end to end.
  struct EndToEnd: Sendable {
    private(set) var ranges: [PhysicalRange] = []
    /// Of all together, in bytes.
    private(set) var size: UInt64 = 0
    /// The bits that are set in any range's start, and in any end.
    private var startBits: UInt64 = 0
    private var endBits: UInt64 = 0

    init() {}

    init(ranges: [PhysicalRange], size: UInt64, startBits: UInt64, endBits: UInt64) {
      self.ranges = ranges
      self.size = size
      self.startBits = startBits
      self.endBits = endBits
    }

    mutating func append(_ start: UInt64, upTo end: UInt64) {
      guard start != end else { return }
      ranges.append(PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end)))
      size &+= end &- start
      startBits |= start
      endBits |= end
    }

    func window(at start: UInt64) -> Window {
      Window(
        ranges, size: size, startBits: startBits, endBits: endBits, at: VirtualAddress(start),
        as: .data)
    }

    /// Whether the longest can be as large as a block, by how many they are.
    func mayHoldBlocks(_ granule: Granule) -> Bool {
      let others = UInt64(ranges.count) &* granule.pageSize
      return size &+ granule.pageSize >= others &+ granule.smallestBlock
    }

    /// How far above a multiple of `block` they begin where the longest range is in step with its own
    /// addresses: it then takes blocks. 0 where none is as large as the granule's smallest.
    func lead(_ block: UInt64, _ granule: Granule) -> UInt64 {
      guard mayHoldBlocks(granule) else { return 0 }
      var offset: UInt64 = 0
      var longest: UInt64 = 0
      var result: UInt64 = 0
      for range in ranges {
        if range.size > longest {
          longest = range.size
          result = range.start.rawValue &- offset
        }
        offset &+= range.size
      }
      return longest < granule.smallestBlock ? 0 : result & (block - 1)
    }
  }
}
