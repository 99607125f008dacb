import PhysicalMemory

/// Walks translation tables as the MMU would, from the values that its registers will have.
///
/// It shares nothing with the code that builds tables: every field is decoded here from raw bits
/// (Arm ARM D8.2, "Translation process"; D8.3.1, descriptor formats; D8.4, permissions; D24.2,
/// registers), so that one can be held against the other. It allocates nothing and takes no
/// locks: bare metal uses it before its MMU is on.
///
/// Stage 1, TTBR0, 4, 16 and 64 KiB granules, up to 48 bits of address either way. Shifts by a
/// variable are masking ones (every amount is below 64 by construction): the others cost bare
/// metal a branch each.
public struct TableWalker<Memory: TableMemory> {
  private let memory: Memory
  private let hasTwoPrivileges: Bool
  private let mair: UInt64
  private let root: UInt64
  private let pageShift: UInt64
  private let inputBits: UInt64
  private let outputBits: UInt64
  private let startLevel: Int

  /// A walker for these register values: `tcr` with the physical address size filled in, `ttbr0`
  /// as it will be written.
  ///
  /// - Throws: `TranslationFault.control` or `.root` where no walk can start from them.
  public init(
    regime: TranslationRegime, tcr: UInt64, mair: UInt64, ttbr0: UInt64, memory: Memory
  ) throws(TranslationFault) {
    self.memory = memory
    self.mair = mair
    let physicalSize: UInt64
    let uses52Bits: Bool
    let isDisabled: Bool
    switch regime {
    case .el1, .el2Host:
      hasTwoPrivileges = true
      physicalSize = tcr >> 32 & 0b111  // IPS
      uses52Bits = tcr >> 59 & 1 != 0  // DS
      isDisabled = tcr >> 7 & 1 != 0  // EPD0
    case .el2:
      hasTwoPrivileges = false
      physicalSize = tcr >> 16 & 0b111  // PS
      uses52Bits = tcr >> 32 & 1 != 0  // DS
      isDisabled = false
    }
    switch tcr >> 14 & 0b11 {  // TG0
    case 0b00: pageShift = 12
    case 0b01: pageShift = 16
    case 0b10: pageShift = 14
    default: throw .control(tcr: tcr)
    }
    // 32, 36, 40, 42, 44 and 48 bits, a byte each; 0 for the sizes that have other descriptors. Not
    // a switch, which the compiler multiplies with the one above.
    outputBits = 0x0000_302C_2A28_2420 &>> (physicalSize * 8) & 0xFF
    let t0sz = tcr & 0b11_1111
    guard outputBits != 0, !uses52Bits, !isDisabled, t0sz >= 16, t0sz <= 39 else {
      throw .control(tcr: tcr)
    }
    inputBits = 64 - t0sz

    // Go up from level 3 until the levels together reach the top input bit.
    var level = 3
    var resolved = pageShift + (pageShift - 3)
    while resolved < inputBits {
      level -= 1
      resolved += pageShift - 3
    }
    startLevel = level
    let rootIndexBits = inputBits - (resolved - (pageShift - 3))
    // A table is aligned to its size, and at least to 64 bytes.
    let rootSize: UInt64 = 1 &<< max(rootIndexBits + 3, 6)
    root = ttbr0 & 0x0000_FFFF_FFFF_FFFE  // BADDR, without ASID and CnP
    guard root & (rootSize - 1) == 0, root &>> outputBits == 0 else { throw .root(ttbr0: ttbr0) }
  }

  /// What `address` is translated to.
  ///
  /// - Throws: the `TranslationFault` that the MMU would take, or `.unreadable`.
  public func translate(_ address: VirtualAddress) throws(TranslationFault) -> Translation {
    let input = address.rawValue
    guard input &>> inputBits == 0 else { throw .translation(address, level: startLevel) }
    var table = root
    var level = startLevel
    // What the tables on the way take from the leaf (hierarchical permissions).
    var tableBits: UInt64 = 0
    while true {
      let entryShift = pageShift + UInt64(3 - level) * (pageShift - 3)
      let index = input &>> entryShift & ((1 &<< (pageShift - 3)) - 1)
      let location = PhysicalAddress(table + index * 8)
      guard let descriptor = memory.word(at: location) else {
        throw .unreadable(location, level: level)
      }
      let isValid = descriptor & 0b01 != 0
      let isTableOrPage = descriptor & 0b10 != 0
      guard isValid else { throw .translation(address, level: level) }
      if level < 3 && isTableOrPage {
        table = descriptor & 0x0000_FFFF_FFFF_FFFF & ~((1 &<< pageShift) - 1)
        guard table &>> outputBits == 0 else { throw .addressSize(address, level: level) }
        tableBits |= descriptor
        level += 1
        continue
      }
      let isBlock = !isTableOrPage
      // A page has bit 1 set; a block stands at level 2, with 4 KiB pages also at level 1.
      let isAllowed = isBlock ? level == 2 || (level == 1 && pageShift == 12) : true
      guard isAllowed else { throw .translation(address, level: level) }
      let output = descriptor & 0x0000_FFFF_FFFF_FFFF & ~((1 &<< entryShift) - 1)
      guard output &>> outputBits == 0 else { throw .addressSize(address, level: level) }
      guard descriptor >> 10 & 1 != 0 else { throw .accessFlag(address, level: level) }  // AF
      return leaf(
        descriptor, tableBits: tableBits, output: output, input: input, level: level,
        entryShift: entryShift)
    }
  }

  private func leaf(
    _ descriptor: UInt64, tableBits: UInt64, output: UInt64, input: UInt64, level: Int,
    entryShift: UInt64
  ) -> Translation {
    let isReadOnly = descriptor >> 7 & 1 != 0 || tableBits >> 62 & 1 != 0  // AP[2], APTable[1]
    let isBit54Set = descriptor >> 54 & 1 != 0 || tableBits >> 60 & 1 != 0  // UXN/XN, XNTable
    let isExecutable: Bool
    let isOpenToEL0: Bool
    if hasTwoPrivileges {
      // AP[1], APTable[0]: EL0 may read, and write what is not read-only.
      let isUserData = descriptor >> 6 & 1 != 0 && tableBits >> 61 & 1 == 0
      let isPXN = descriptor >> 53 & 1 != 0 || tableBits >> 59 & 1 != 0
      // What EL0 can write is never executed at the higher level.
      isExecutable = !isPXN && !(isUserData && !isReadOnly)
      isOpenToEL0 = isUserData || !isBit54Set
    } else {
      isExecutable = !isBit54Set
      isOpenToEL0 = false
    }
    let attrIndx = descriptor >> 2 & 0b111
    return Translation(
      physicalAddress: PhysicalAddress(output | input & ((1 &<< entryShift) - 1)),
      level: level,
      entrySize: 1 &<< entryShift,
      memoryAttributes: UInt8(truncatingIfNeeded: mair &>> (attrIndx * 8)),
      shareability: UInt8(truncatingIfNeeded: descriptor >> 8 & 0b11),
      isWritable: !isReadOnly,
      isExecutable: isExecutable,
      isOpenToEL0: isOpenToEL0)
  }
}
