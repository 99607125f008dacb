import PhysicalMemory

/// Physical ranges that appear end to end from one virtual address on, as one kind of memory: how
/// scattered pages are read as if they lay side by side.
///
/// A page that lies alone takes a few instructions and no look at anything around it. A range that
/// holds a whole block, at a virtual address in step with it, is mapped by blocks.
public struct Window: Hashable, Sendable {
  public let ranges: [PhysicalRange]
  /// The virtual address of the first range's first byte.
  public let virtualStart: VirtualAddress
  public let kind: MemoryKind
  /// Of all ranges together, in bytes.
  let size: UInt64
  /// The bits that are set in any range's start or end.
  let alignmentBits: UInt64
  /// The bits that are set in any range's end.
  let endBits: UInt64

  /// A window of `ranges`, in this order.
  ///
  /// - Precondition: together they have less than 2^64 bytes.
  public init(_ ranges: [PhysicalRange], at virtualStart: VirtualAddress, as kind: MemoryKind) {
    var size: UInt64 = 0
    var startBits: UInt64 = 0
    var endBits: UInt64 = 0
    for range in ranges {
      size &+= range.size
      startBits |= range.start.rawValue
      // No range wraps.
      endBits |= range.start.rawValue &+ range.size
    }
    self.init(
      ranges, size: size, startBits: startBits, endBits: endBits, at: virtualStart, as: kind)
  }

  /// A window of ranges of which all that takes a look at each is known already.
  ///
  /// - Parameters:
  ///   - size: of all ranges together, in bytes.
  ///   - startBits: the bits that are set in any range's start.
  ///   - endBits: the bits that are set in any range's end.
  package init(
    _ ranges: [PhysicalRange], size: UInt64, startBits: UInt64, endBits: UInt64,
    at virtualStart: VirtualAddress, as kind: MemoryKind
  ) {
    self.ranges = ranges
    self.virtualStart = virtualStart
    self.kind = kind
    self.size = size
    alignmentBits = startBits | endBits
    self.endBits = endBits
  }

  /// The byte after the last one, where `TranslationTables<Building>` has checked the window.
  var virtualEnd: VirtualAddress { VirtualAddress(virtualStart.rawValue + size) }

  func overlaps(_ mapping: Mapping) -> Bool {
    mapping.virtualStart < virtualEnd && virtualStart < mapping.virtualEnd
  }

  /// The first range that `isWanted` wants, as a mapping of its own.
  func firstPart(where isWanted: (Mapping) -> Bool) -> Mapping? {
    var virtual = virtualStart.rawValue
    for range in ranges {
      let part = Mapping(range, at: VirtualAddress(virtual), as: kind)
      if isWanted(part) { return part }
      virtual &+= range.size
    }
    return nil
  }

  /// The first range that `isWanted` wants, as a mapping of its own; with none, all there is.
  func part(where isWanted: (Mapping) -> Bool) -> Mapping {
    firstPart(where: isWanted)
      ?? Mapping(
        PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(size)), at: virtualStart, as: kind)
  }
}
