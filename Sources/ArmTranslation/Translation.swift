import PhysicalMemory

/// What a virtual address is translated to.
public struct Translation: Hashable, Sendable {
  public let physicalAddress: PhysicalAddress
  /// The level of the descriptor that maps the address: 3 for a page, less for a block.
  public let level: Int
  /// The bytes that this descriptor maps, a power of two.
  public let entrySize: UInt64
  /// The MAIR_ELx byte that the descriptor names.
  public let memoryAttributes: UInt8
  /// The SH field.
  public let shareability: UInt8
  /// Whether the regime's privileged level may write.
  public let isWritable: Bool
  /// Whether the regime's privileged level may execute.
  public let isExecutable: Bool
  /// Whether EL0 may read, write or execute anything here.
  public let isOpenToEL0: Bool

  /// The kind of memory that this is, or nil where it is none of them.
  public var kind: MemoryKind? {
    guard !isOpenToEL0 else { return nil }
    switch (memoryAttributes, shareability, isWritable, isExecutable) {
    case (0xFF, 0b11, false, true): return .code
    case (0xFF, 0b11, false, false): return .readOnlyData
    case (0xFF, 0b11, true, false): return .data
    case (0x04, _, true, false): return .device
    default: return nil
    }
  }
}
