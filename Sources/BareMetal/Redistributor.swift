import CBareMetal
import PhysicalMemory

/// A GICv3 redistributor, and its LPIs (Arm IHI 0069, 12.11; 6.1.2, "Physical LPIs and tables in
/// memory"). A set EnableLPIs lets it write the first kernel's pending table, in memory that is the
/// next kernel's by then.
public struct Redistributor {
  private let base: UInt64

  /// The redistributor whose frame begins at `base`, or nil where there is none.
  init?(at base: UInt64) {
    self.base = base
    let revision = baton_mmio_read32(base &+ Register.pidr2) >> 4 & 0xF
    guard revision == 3 || revision == 4 else { return nil }
  }

  /// Clears EnableLPIs, if it is set, and waits until that has had its effect.
  ///
  /// - Returns: whether the LPIs are off now. Implementations may refuse (GICR_CTLR.CES = 0).
  func disableLPIs() -> Bool {
    guard type & Typer.physicalLPIs != 0 else { return true }
    let control = baton_mmio_read32(base &+ Register.ctlr)
    guard control & Control.enableLPIs != 0 else { return true }
    baton_mmio_write32(base &+ Register.ctlr, control & ~Control.enableLPIs)
    var deadline = Deadline(milliseconds: 20)
    while baton_mmio_read32(base &+ Register.ctlr) & Control.registerWritePending != 0 {
      if deadline.hasPassed() { return false }
    }
    return baton_mmio_read32(base &+ Register.ctlr) & Control.enableLPIs == 0
  }

  var isLast: Bool { type & Typer.last != 0 }

  /// The distance to the next frame in bytes: two parts of 64 KiB, four with virtual LPIs.
  var frameSize: UInt64 { type & Typer.virtualLPIs != 0 ? 0x4_0000 : 0x2_0000 }

  /// Where the configuration of the LPIs lies: a byte each, from LPI 8192 on. Nil where the register
  /// has none of them: LPIs that are on have a table all the same.
  var propertyTable: PhysicalRange? {
    let value = read64(Register.propbaser)
    let count: UInt64 = 2 &<< (value & 0b1_1111)  // IDbits is one less than their number
    guard count > 8192 else { return nil }
    return PhysicalRange(
      start: PhysicalAddress(value & 0x000F_FFFF_FFFF_F000), size: count - 8192)
  }

  /// Where the pending state lies: a bit for each interrupt.
  var pendingTable: PhysicalRange? {
    let count: UInt64 = 2 &<< (read64(Register.propbaser) & 0b1_1111)
    return PhysicalRange(
      start: PhysicalAddress(read64(Register.pendbaser) & 0x000F_FFFF_FFFF_0000), size: count / 8)
  }

  private var type: UInt32 { baton_mmio_read32(base &+ Register.typer) }

  private func read64(_ register: UInt64) -> UInt64 {
    UInt64(baton_mmio_read32(base &+ register))
      | UInt64(baton_mmio_read32(base &+ register &+ 4)) << 32
  }

  private enum Register {
    static var ctlr: UInt64 { 0x0000 }
    static var typer: UInt64 { 0x0008 }
    static var propbaser: UInt64 { 0x0070 }
    static var pendbaser: UInt64 { 0x0078 }
    static var pidr2: UInt64 { 0xFFE8 }
  }

  private enum Control {
    static var enableLPIs: UInt32 { 1 << 0 }
    static var registerWritePending: UInt32 { 1 << 3 }
  }

  private enum Typer {
    static var physicalLPIs: UInt32 { 1 << 0 }
    static var virtualLPIs: UInt32 { 1 << 1 }
    static var last: UInt32 { 1 << 4 }
  }
}
