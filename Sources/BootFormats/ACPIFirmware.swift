/// The part of ACPI's fixed description (FADT; ACPI 6.5, 5.2.9) that tells how the firmware is called.
public enum ACPIFirmware {
  /// The interface of PSCI 0.2 and later, or nil where the firmware has none: ARM_BOOT_ARCH's
  /// PSCI_COMPLIANT and PSCI_USE_HVC (5.2.9.4), which tables before ACPI 5.1 lack.
  public static func psci(parsing table: RawSpan) throws(ACPITableError) -> PSCIDescription? {
    try table.checkACPITable(.fixedDescription, minimumSize: 116)
    guard let major = table.byte(at: 8), major >= 5,
      let flags = table.littleEndian(UInt16.self, at: 129), flags & 1 != 0
    else { return nil }
    return PSCIDescription(conduit: flags & 2 != 0 ? .hvc : .smc)
  }
}
