import PhysicalMemory

/// ACPI's serial port console redirection table (SPCR; Microsoft's specification, revision 1.10):
///
///     36 interface type   40 registers: 40 address space, 41 width in bits, 43 access size, 44 address
public enum ACPIConsole {
  /// The console, or nil where the table switches it off (address 0), or the device is not known
  /// here, or is not in memory.
  public static func console(
    parsing table: RawSpan
  ) throws(ACPITableError) -> ConsoleDescription? {
    try table.checkACPITable(.serialConsole, minimumSize: 52)
    guard let type = table.byte(at: 36), let space = table.byte(at: 40),
      let accessSize = table.byte(at: 43), let address = table.littleEndian(UInt64.self, at: 44)
    else { throw .tooShort(size: table.byteCount) }
    // System memory.
    guard address != 0, space == 0 else { return nil }
    let kind: ConsoleDescription.Kind
    let size: UInt64
    switch type {
    case 0x03:
      (kind, size) = (.pl011, 0x1000)
    // The SBSA UART, with 32-bit accesses only, and in general.
    case 0x0d, 0x0e:
      (kind, size) = (.sbsaUART, 0x1000)
    // 16550, its subset, and one whose accesses the table describes. As Linux does
    // (drivers/acpi/spcr.c, earlycon), registers are as far apart as they are wide.
    case 0x00, 0x01, 0x12:
      let shift: Int
      switch accessSize {
      // 0 is not said: bytes.
      case 0, 1: shift = 0
      case 2: shift = 1
      case 3: shift = 2
      default: throw .badField(offset: 43)
      }
      (kind, size) = (.ns16550(registerShift: shift, accessWidth: 1 << shift), 8 << UInt64(shift))
    default: return nil
    }
    guard let registers = PhysicalRange(start: PhysicalAddress(address), size: size) else {
      throw .badField(offset: 44)
    }
    return ConsoleDescription(kind: kind, registers: registers, options: "")
  }
}
