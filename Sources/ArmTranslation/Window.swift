import PhysicalMemory

/// Physical ranges that appear end to end from one virtual address on, as one kind of memory: how
/// scattered pages are read as if they lay side by side.
///
/// A window is mapped by pages, whatever its ranges would allow: an entry for each page and nothing
/// else to look at, so that a page that lies alone costs no more than one in a long range.
public struct Window: Hashable, Sendable {
  public let ranges: [PhysicalRange]
  /// The virtual address of the first range's first byte.
  public let virtualStart: VirtualAddress
  public let kind: MemoryKind
  /// Of all ranges together, in bytes.
  let size: UInt64
  /// The bits that are set in any range's start or size.
  let alignmentBits: UInt64
  /// The end of the range that ends last.
  let physicalEnd: PhysicalAddress

  /// A window of `ranges`, in this order.
  ///
  /// - Precondition: together they have less than 2^64 bytes.
  public init(_ ranges: [PhysicalRange], at virtualStart: VirtualAddress, as kind: MemoryKind) {
    self.ranges = ranges
    self.virtualStart = virtualStart
    self.kind = kind
    var size: UInt64 = 0
    var bits: UInt64 = 0
    var end: UInt64 = 0
    for range in ranges {
      size &+= range.size
      bits |= range.start.rawValue | range.size
      // No range wraps.
      end = max(end, range.start.rawValue &+ range.size)
    }
    self.size = size
    alignmentBits = bits
    physicalEnd = PhysicalAddress(end)
  }

  /// The byte after the last one, where `TranslationTables<Building>` has checked the window.
  var virtualEnd: VirtualAddress { VirtualAddress(virtualStart.rawValue + size) }

  func overlaps(_ mapping: Mapping) -> Bool {
    mapping.virtualStart < virtualEnd && virtualStart < mapping.virtualEnd
  }

  /// The first range that `isWanted` wants, as a mapping of its own; with none, all there is.
  func part(where isWanted: (Mapping) -> Bool) -> Mapping {
    var virtual = virtualStart.rawValue
    for range in ranges {
      let part = Mapping(range, at: VirtualAddress(virtual), as: kind)
      if isWanted(part) { return part }
      virtual &+= range.size
    }
    return Mapping(
      PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(size)), at: virtualStart, as: kind)
  }
}
