import CBareMetal

/// The transmitter of an Arm PrimeCell UART (PL011, Arm DDI 0183), of which the SBSA generic UART
/// is a subset.
struct PL011 {
  let base: UInt64

  /// Whether the FIFO takes a byte.
  var hasRoom: Bool { flags & Flags.transmitFIFOFull == 0 }

  /// Whether the last bit of the last byte has left.
  var isDrained: Bool { flags & Flags.busy == 0 }

  func send(_ byte: UInt8) {
    baton_mmio_write32(base &+ Register.data, UInt32(byte))
  }

  private var flags: UInt32 { baton_mmio_read32(base &+ Register.flag) }

  private enum Register {
    /// UARTDR
    static var data: UInt64 { 0x00 }
    /// UARTFR
    static var flag: UInt64 { 0x18 }
  }

  private enum Flags {
    static var busy: UInt32 { 1 << 3 }
    static var transmitFIFOFull: UInt32 { 1 << 5 }
  }
}
