import CBareMetal
import KexecRelocation

/// The transmitter of an 8250 or a descendant of it (Texas Instruments PC16550D, 8.4), as the
/// kernel set it up: the divisor latch is closed.
struct NS16550 {
  private let base: UInt64
  private let shift: UInt64
  private let width: Lifeline.Console.AccessWidth

  init(base: UInt64, shift: Int, width: Lifeline.Console.AccessWidth) {
    self.base = base
    self.shift = UInt64(shift)
    self.width = width
  }

  /// Whether the holding register, or the FIFO in its place, is empty.
  var hasRoom: Bool { lineStatus & LineStatus.holdingRegisterEmpty != 0 }

  /// Whether the shift register is empty, too.
  var isDrained: Bool { lineStatus & LineStatus.transmitterEmpty != 0 }

  func send(_ byte: UInt8) {
    let address = address(of: Register.transmitterHolding)
    switch width {
    case .byte: baton_mmio_write8(address, UInt32(byte))
    case .halfword: baton_mmio_write16(address, UInt32(byte))
    case .word: baton_mmio_write32(address, UInt32(byte))
    }
  }

  private var lineStatus: UInt32 {
    let address = address(of: Register.lineStatus)
    switch width {
    case .byte: return baton_mmio_read8(address)
    case .halfword: return baton_mmio_read16(address)
    case .word: return baton_mmio_read32(address)
    }
  }

  private func address(of register: UInt64) -> UInt64 { base &+ register &<< shift }

  private enum Register {
    /// THR
    static var transmitterHolding: UInt64 { 0 }
    /// LSR
    static var lineStatus: UInt64 { 5 }
  }

  private enum LineStatus {
    /// THRE
    static var holdingRegisterEmpty: UInt32 { 1 << 5 }
    /// TEMT
    static var transmitterEmpty: UInt32 { 1 << 6 }
  }
}
