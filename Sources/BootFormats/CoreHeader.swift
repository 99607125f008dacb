import PhysicalMemory

/// The header of a dead kernel's memory as an ELF core file: what the kernel that comes up after a
/// crash makes `/proc/vmcore` of (`linux,elfcorehdr`; Linux Documentation/admin-guide/kdump).
///
/// ELF64, little-endian, of type `ET_CORE` (System V ABI, chapters 4 and 5). Offsets are physical
/// addresses: the file is the memory.
///
///     0x00  ELF header                              64 bytes
///     0x40  program headers                         56 bytes each
///             PT_NOTE  the registers of a CPU         one for each CPU
///             PT_NOTE  vmcoreinfo
///             PT_LOAD  the kernel's image             at its virtual address
///             PT_LOAD  a range of memory              one for each
public struct CoreHeader: Sendable {
  /// A range of memory, and where the dead kernel has it mapped.
  public struct Memory: Sendable, Hashable {
    public var range: PhysicalRange
    /// 0 where that is not known.
    public var virtualAddress: UInt64

    public init(_ range: PhysicalRange, virtualAddress: UInt64 = 0) {
      self.range = range
      self.virtualAddress = virtualAddress
    }
  }

  /// Where each CPU will leave its registers, and where vmcoreinfo lies: notes as ELF has them.
  public var notes: [PhysicalRange]
  /// Each becomes a `PT_LOAD`, in this order.
  public var memory: [Memory]

  public init(notes: [PhysicalRange], memory: [Memory]) {
    self.notes = notes
    self.memory = memory
  }

  /// The program headers that a header can count: `e_phnum` has 16 bits, and its last value says
  /// something else (`PN_XNUM`).
  public static let maximumCount = 0xfffe

  /// In bytes.
  public var size: UInt64 { UInt64(Self.headerSize + count * Self.programHeaderSize) }

  /// The number of program headers.
  public var count: Int { notes.count + memory.count }

  private static var headerSize: Int { 64 }
  private static var programHeaderSize: Int { 56 }

  // elf.h
  private static var loadType: UInt64 { 1 }
  private static var noteType: UInt64 { 4 }
  private static var readWriteExecute: UInt64 { 7 }
  private static var coreType: UInt64 { 4 }
  private static var aarch64: UInt64 { 183 }

  /// The header's bytes as words.
  ///
  /// - Precondition: `count` is at most `maximumCount`.
  public var words: [UInt64] {
    precondition(count <= Self.maximumCount)
    var words: [UInt64] = [
      // "\u{7f}ELF", 64 bits, little-endian, version 1, System V
      0x0001_0102_464c_457f, 0,
      Self.coreType | Self.aarch64 << 16 | 1 << 32,
      0,  // e_entry
      UInt64(Self.headerSize),  // e_phoff
      0,  // e_shoff
      UInt64(Self.headerSize) << 32 | UInt64(Self.programHeaderSize) << 48,
      UInt64(count),  // e_phnum
    ]
    for note in notes { Self.append(Self.noteType, Memory(note), to: &words) }
    for part in memory {
      Self.append(Self.loadType | Self.readWriteExecute << 32, part, to: &words)
    }
    return words
  }

  private static func append(_ typeAndFlags: UInt64, _ memory: Memory, to words: inout [UInt64]) {
    let start = memory.range.start.rawValue
    words += [
      typeAndFlags, start, memory.virtualAddress, start, memory.range.size, memory.range.size,
      0,  // p_align
    ]
  }
}
