import PhysicalMemory

/// A declared region: this physical range appears at that virtual address as this kind of memory.
public struct Mapping: Hashable, Sendable {
  public let physical: PhysicalRange
  /// The virtual address of the range's first byte.
  public let virtualStart: VirtualAddress
  public let kind: MemoryKind

  /// Maps `physical` to itself.
  public init(_ physical: PhysicalRange, as kind: MemoryKind) {
    self.init(physical, at: VirtualAddress(identityOf: physical.start), as: kind)
  }

  /// Maps `physical` from `virtualStart` on.
  public init(_ physical: PhysicalRange, at virtualStart: VirtualAddress, as kind: MemoryKind) {
    self.physical = physical
    self.virtualStart = virtualStart
    self.kind = kind
  }
}

/// What `TranslationTables<Building>` has checked a mapping for makes these total: the end of the
/// virtual range stays in 64 bits.
extension Mapping {
  /// The byte after the last one.
  var virtualEnd: VirtualAddress { VirtualAddress(virtualStart.rawValue + physical.size) }

  func overlaps(_ other: Mapping) -> Bool {
    virtualStart < other.virtualEnd && other.virtualStart < virtualEnd
  }

  /// Whether `other` goes on exactly where this one ends, so that the two are one mapping.
  func isContinued(by other: Mapping) -> Bool {
    kind == other.kind && virtualEnd == other.virtualStart
      && physical.end == other.physical.start
  }

  /// This mapping with `other`, which continues it.
  func joined(with other: Mapping) -> Mapping {
    Mapping(
      PhysicalRange(physical.start, upTo: other.physical.end), at: virtualStart, as: kind)
  }
}
