import PhysicalMemory

/// The CPUs and the redistributors of ACPI's multiple APIC description table (MADT; ACPI 6.5,
/// 5.2.12): behind 44 bytes a list of structures, each with its type and its length in front.
///
///     GICC, type 0x0b   12 flags (1: enabled)   60 redistributor's address   68 MPIDR
///     GICR, type 0x0e    4 address of a region of redistributors   12 its length
public struct ACPIInterruptControllers: Sendable, Hashable {
  /// The affinities (MPIDR_EL1.Aff0 to Aff3) of the CPUs that are enabled, in the table's order,
  /// which is the kernel's, too, but for the booting CPU.
  public private(set) var affinities: [UInt64] = []
  /// The regions that hold the redistributors of a GICv3, one frame behind the other.
  public let redistributors: [PhysicalRange]

  public init(parsing table: RawSpan) throws(ACPITableError) {
    try table.checkACPITable(.interruptControllers, minimumSize: 44)
    var regions: [PhysicalRange] = []
    // Where every CPU gives its own; they are merged where they touch.
    var frames = PhysicalRangeSet()
    var position = 44
    while position < table.byteCount {
      guard let type = table.byte(at: position), let length = table.byte(at: position + 1),
        length >= 2, Int(length) <= table.byteCount - position
      else { throw .badEntry(offset: position) }
      switch type {
      case 0x0b:
        // As ACPI 5.1 has it; 5.0 has no MPIDR.
        guard length >= 76, let flags = table.littleEndian(UInt32.self, at: position + 12),
          let frame = table.littleEndian(UInt64.self, at: position + 60),
          let affinity = table.littleEndian(UInt64.self, at: position + 68)
        else { throw .badEntry(offset: position) }
        guard flags & 1 != 0 else { break }
        guard affinity & ~0xff_00ff_ffff == 0 else { throw .badField(offset: position + 68) }
        affinities.append(affinity)
        if frame != 0 {
          // Two frames of 64 KiB; what a GICv4 has behind them is not needed.
          frames.insert(try Self.range(frame, 0x2_0000, at: position + 60))
        }
      case 0x0e:
        guard length >= 16, let start = table.littleEndian(UInt64.self, at: position + 4),
          let size = table.littleEndian(UInt32.self, at: position + 12)
        else { throw .badEntry(offset: position) }
        if size > 0 { regions.append(try Self.range(start, UInt64(size), at: position + 4)) }
      default: break
      }
      position += Int(length)
    }
    redistributors = regions.isEmpty ? frames.ranges : regions
  }

  private static func range(
    _ start: UInt64, _ size: UInt64, at offset: Int
  ) throws(ACPITableError) -> PhysicalRange {
    guard start & 0xffff == 0, let range = PhysicalRange(start: PhysicalAddress(start), size: size)
    else { throw .badField(offset: offset) }
    return range
  }
}
