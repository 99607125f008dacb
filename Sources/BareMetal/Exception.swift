/// What a vector was entered for.
public enum Exception {
  /// ESR_ELx.EC in words, for what a program that expects no exception can meet (Arm ARM,
  /// "ESR_EL1").
  public static func name(vector: UInt64, syndrome: UInt64) -> StaticString {
    switch vector & 3 {
    case 1: return "interrupt"
    case 2: return "fast interrupt"
    case 3: return "system error"
    default: break
    }
    switch syndrome >> 26 {
    case 0x00, 0x0E: return "undefined instruction"
    case 0x07: return "trapped SIMD instruction"
    case 0x20, 0x21: return "instruction abort"
    case 0x22: return "misaligned PC"
    case 0x24, 0x25: return "data abort"
    case 0x26: return "misaligned SP"
    case 0x3C: return "trap (brk)"
    default: return "exception"
    }
  }
}
