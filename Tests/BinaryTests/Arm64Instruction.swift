/// As much of the A64 encoding as the tests of the binaries need (Arm ARM C4.1, "A64 instruction
/// set encoding").
struct Arm64Instruction {
  let word: UInt32

  /// Where control may go next, relative to this instruction, in bytes.
  enum Flow: Equatable {
    case next
    case jump(Int)
    case conditional(Int)
    case call(Int)
    /// Through a register: a jump table, as no function pointers are expected.
    case indirect
    case end
  }

  var flow: Flow {
    switch word {
    case let w where w >> 26 == 0b000101: return .jump(offset(bits: 26, at: 0))
    case let w where w >> 26 == 0b100101: return .call(offset(bits: 26, at: 0))
    case let w where w >> 24 == 0x54: return .conditional(offset(bits: 19, at: 5))
    case let w where w >> 25 & 0x3F == 0b011010: return .conditional(offset(bits: 19, at: 5))
    case let w where w >> 25 & 0x3F == 0b011011: return .conditional(offset(bits: 14, at: 5))
    case let w where w & 0xFFFF_FC1F == 0xD65F_0000: return .end  // RET
    case let w where w & 0xFFFF_FC1F == 0xD61F_0000: return .indirect  // BR
    case let w where w & 0xFFFF_FC1F == 0xD63F_0000: return .indirect  // BLR
    case let w where w & 0xFFE0_001F == 0xD420_0000: return .end  // BRK
    default: return .next
    }
  }

  /// Advanced SIMD, floating point and their loads and stores: op0 x111, or x1x0 with V set.
  var usesSIMD: Bool {
    let op0 = word >> 25 & 0xF
    return op0 & 0b0111 == 0b0111 || (op0 & 0b0101 == 0b0100 && word >> 26 & 1 == 1)
  }

  /// Exclusives, compare-and-swap, and the atomics of FEAT_LSE.
  var isExclusiveOrAtomic: Bool {
    if word >> 24 & 0x3F == 0b001000 {
      return word >> 23 & 1 == 0 || word >> 21 & 1 == 1
    }
    return word >> 24 & 0x3F == 0b111000 && word >> 21 & 1 == 1 && word >> 10 & 3 == 0
  }

  var isDCZVA: Bool { word & ~0x1F == 0xD50B_7420 }

  private func offset(bits: UInt32, at shift: UInt32) -> Int {
    let field = Int32(bitPattern: word << (32 - bits - shift)) >> Int32(32 - bits)
    return Int(field) * 4
  }
}
