import PhysicalMemory

/// Walks translation tables as the MMU would, from the values that its registers will have.
///
/// It shares nothing with the code that builds tables: every field is decoded here from raw bits
/// (Arm ARM D8.2, "Translation process"; D8.3.1, descriptor formats; D8.4, permissions; D24.2,
/// registers), so that one can be held against the other. It allocates nothing and takes no
/// locks: bare metal uses it before its MMU is on.
///
/// Stage 1, one of the two ranges, 4, 16 and 64 KiB granules, up to 52 bits of address either way.
/// Shifts by a variable are masking ones (every amount is below 64 by construction): the others
/// cost bare metal a branch each.
public struct TableWalker<Memory: TableMemory> {
  private let memory: Memory
  private let hasTwoPrivileges: Bool
  private let mair: UInt64
  private let root: UInt64
  private let pageShift: UInt64
  private let inputBits: UInt64
  private let outputBits: UInt64
  private let startLevel: Int
  /// The first level at which a block may stand.
  private let blockLevel: Int
  /// What the bits above the input's must be.
  private let prefix: UInt64
  /// The descriptor bits that hold the address in place, and those that hold more of it, to be
  /// shifted left.
  private let addressMask: UInt64
  private let highMask: UInt64
  private let highShift: UInt64
  /// The shareability of Normal memory where descriptors have no field for it.
  private let shareability: UInt8?

  /// A walker of the lower range for these register values: `tcr` with the physical address size
  /// filled in, `ttbr0` as it will be written.
  ///
  /// - Throws: `TranslationFault.control` or `.root` where no walk can start from them.
  public init(
    regime: TranslationRegime, tcr: UInt64, mair: UInt64, ttbr0: UInt64, memory: Memory
  ) throws(TranslationFault) {
    try self.init(
      regime: regime, tcr: tcr, mair: mair, ttbr: ttbr0, isUpper: false, memory: memory)
  }

  /// A walker of the upper range, likewise.
  ///
  /// - Throws: likewise, and `.control` for the regime that has no upper range.
  public init(
    regime: TranslationRegime, tcr: UInt64, mair: UInt64, ttbr1: UInt64, memory: Memory
  ) throws(TranslationFault) {
    try self.init(
      regime: regime, tcr: tcr, mair: mair, ttbr: ttbr1, isUpper: true, memory: memory)
  }

  private init(
    regime: TranslationRegime, tcr: UInt64, mair: UInt64, ttbr: UInt64, isUpper: Bool,
    memory: Memory
  ) throws(TranslationFault) {
    self.memory = memory
    self.mair = mair
    // TxSZ, EPDx, SHx and TGx of the upper range stand 16 bits above those of the lower.
    let fields = tcr &>> (isUpper ? 16 : 0)
    let size = fields & 0b11_1111
    let isDisabled = regime == .el2 ? isUpper : fields >> 7 & 1 != 0
    // TG0 and TG1 differ: the page's bits by their value, a byte each.
    pageShift = (isUpper ? 0x100C_0E00 : 0x000E_100C) &>> ((fields >> 14 & 0b11) * 8) & 0xFF
    let physicalSize: UInt64
    let usesDS: Bool
    switch regime {
    case .el1, .el2Host:
      hasTwoPrivileges = true
      physicalSize = tcr >> 32 & 0b111  // IPS
      usesDS = tcr >> 59 & 1 != 0
    case .el2:
      hasTwoPrivileges = false
      physicalSize = tcr >> 16 & 0b111  // PS
      usesDS = tcr >> 32 & 1 != 0
    }
    let is64K = pageShift == 16
    // 32, 36, 40, 42, 44, 48 and 52 bits, a byte each; 0 for the size that has other descriptors.
    // Not a switch, which the compiler multiplies with others.
    outputBits = 0x0034_302C_2A28_2420 &>> (physicalSize * 8) & 0xFF
    // More than 48 bits need the large format: with 64 KiB pages it is the only one, with others
    // DS chooses it.
    let isLarge = is64K || usesDS
    guard pageShift != 0, outputBits != 0, outputBits <= 48 || isLarge, !(usesDS && is64K),
      !isDisabled, size >= (isLarge ? 12 : 16), size <= 39
    else { throw .control(tcr: tcr) }
    inputBits = 64 - size
    prefix = isUpper ? ~0 &>> inputBits : 0
    let page = ~((1 &<< pageShift) &- 1)
    if usesDS {
      addressMask = 0x0003_FFFF_FFFF_FFFF & page
      highMask = 0x300  // [51:50] in [9:8]
      highShift = 42
      shareability = UInt8(truncatingIfNeeded: fields >> 12 & 0b11)
    } else {
      addressMask = 0x0000_FFFF_FFFF_FFFF & page
      highMask = outputBits == 52 ? 0xF000 : 0  // 64 KiB pages: [51:48] in [15:12]
      highShift = 36
      shareability = nil
    }
    // With 4 KiB pages a level earlier than with others, and in the large format one more.
    blockLevel = (pageShift == 12 ? 1 : 2) - (usesDS || outputBits == 52 ? 1 : 0)

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
    // BADDR, without ASID and CnP; of 52 bits, the upper four are in [5:2].
    var root = ttbr & 0x0000_FFFF_FFFF_FFFE
    if outputBits == 52 { root = root & ~0x3F | (ttbr & 0x3C) << 46 }
    guard root & (rootSize - 1) == 0, root &>> outputBits == 0 else { throw .root(ttbr: ttbr) }
    self.root = root
  }

  /// What `address` is translated to.
  ///
  /// - Throws: the `TranslationFault` that the MMU would take, or `.unreadable`.
  public func translate(_ address: VirtualAddress) throws(TranslationFault) -> Translation {
    let input = address.rawValue
    guard input &>> inputBits == prefix else { throw .translation(address, level: startLevel) }
    var table = root
    var level = startLevel
    // The root may have fewer entries than a page holds.
    var indexMask = (1 &<< inputBits) &- 1
    // What the tables on the way take from the leaf (hierarchical permissions).
    var tableBits: UInt64 = 0
    while true {
      let entryShift = pageShift + UInt64(3 - level) * (pageShift - 3)
      let index = (input & indexMask) &>> entryShift
      let location = PhysicalAddress(table + index * 8)
      guard let descriptor = memory.word(at: location) else {
        throw .unreadable(location, level: level)
      }
      let isValid = descriptor & 0b01 != 0
      let isTableOrPage = descriptor & 0b10 != 0
      guard isValid else { throw .translation(address, level: level) }
      if level < 3 && isTableOrPage {
        table = self.address(in: descriptor)
        indexMask = (1 &<< entryShift) &- 1
        guard table &>> outputBits == 0 else { throw .addressSize(address, level: level) }
        tableBits |= descriptor
        level += 1
        continue
      }
      let isBlock = !isTableOrPage
      // A page has bit 1 set.
      guard !isBlock || (level < 3 && level >= blockLevel) else {
        throw .translation(address, level: level)
      }
      let output = self.address(in: descriptor) & ~((1 &<< entryShift) - 1)
      guard output &>> outputBits == 0 else { throw .addressSize(address, level: level) }
      guard descriptor >> 10 & 1 != 0 else { throw .accessFlag(address, level: level) }  // AF
      return leaf(
        descriptor, tableBits: tableBits, output: output, input: input, level: level,
        entryShift: entryShift)
    }
  }

  private func address(in descriptor: UInt64) -> UInt64 {
    descriptor & addressMask | (descriptor & highMask) &<< highShift
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
      shareability: shareability ?? UInt8(truncatingIfNeeded: descriptor >> 8 & 0b11),
      isWritable: !isReadOnly,
      isExecutable: isExecutable,
      isOpenToEL0: isOpenToEL0)
  }
}
