import PhysicalMemory

extension TranslationTables where State == Sealed {
  /// The root table's address; `baseAddressField` is what TTBR0_ELx or TTBR1_ELx holds of it.
  public var root: PhysicalAddress { state.memory.start }

  /// The memory that the tables take: whole pages, the root first.
  public var memory: PhysicalRange { state.memory }

  /// The descriptors to be placed at `memory`, in order.
  public var words: [UInt64] {
    let count = Int(memory.size / 8)
    // Copied only where others were sealed with them.
    if count == state.allWords.count { return state.allWords }
    return [UInt64](state.allWords[state.firstWord..<state.firstWord + count])
  }

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

  /// The register values that go with the tables, and with nothing in the other range.
  public var control: TranslationControl {
    switch state.range {
    case .lower: TranslationControl(regime: state.regime, lower: state.geometry)
    case .upper: TranslationControl(regime: state.regime, upper: state.geometry)
    }
  }

  /// The register values that go with these tables for the lower range and `upper` for the upper
  /// one.
  ///
  /// - Precondition: they are of one regime, granule and format.
  public func control(with upper: TranslationTables<Sealed>) -> TranslationControl {
    precondition(
      state.range == .lower && upper.state.range == .upper
        && state.regime == upper.state.regime)
    return TranslationControl(
      regime: state.regime, lower: state.geometry, upper: upper.state.geometry)
  }
}

extension TranslationTables: TableMemory where State == Sealed {
  public func word(at address: PhysicalAddress) -> UInt64? {
    guard memory.contains(address), address.isAligned(to: 8) else { return nil }
    return state.allWords[state.firstWord + Int((address - memory.start) / 8)]
  }
}
