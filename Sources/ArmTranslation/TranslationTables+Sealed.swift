import PhysicalMemory

extension TranslationTables where State == Sealed {
  /// The root table's address: TTBR0_ELx, with ASID and CnP 0.
  public var root: PhysicalAddress { state.memory.start }

  /// The memory that the tables take: whole pages, the root first.
  public var memory: PhysicalRange { state.memory }

  /// The descriptors to be placed at `memory`, in order.
  public var words: [UInt64] { state.words }

  /// `words` as they lie in memory: table walks read little-endian (SCTLR_ELx.EE = 0).
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(words.count * 8)
    for word in words {
      for shift in stride(from: UInt64(0), to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    return bytes
  }

  /// The register values that go with the tables.
  public var control: TranslationControl { state.control }
}

extension TranslationTables: TableMemory where State == Sealed {
  public func word(at address: PhysicalAddress) -> UInt64? {
    guard memory.contains(address), address.isAligned(to: 8) else { return nil }
    return words[Int((address - memory.start) / 8)]
  }
}
