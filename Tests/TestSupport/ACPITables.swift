/// ACPI tables, byte by byte, as far as Baton reads them.
public enum ACPITables {
  /// A table with the right length and checksum: `content` behind the header's 36 bytes.
  public static func table(_ signature: String, revision: UInt8 = 6, _ content: [UInt8]) -> [UInt8]
  {
    var table = Array(signature.utf8) + [UInt8](repeating: 0, count: 32) + content
    PEFile.store(UInt64(table.count), 4, at: 4, &table)
    table[8] = revision
    return checked(table)
  }

  /// The table with its checksum made right.
  public static func checked(_ table: [UInt8]) -> [UInt8] {
    var table = table
    table[9] = 0
    table[9] = 0 &- table.reduce(0) { $0 &+ $1 }
    return table
  }

  /// FADT of ACPI 6.5 whose ARM_BOOT_ARCH is `flags`.
  public static func firmware(_ flags: UInt16, revision: UInt8 = 6) -> [UInt8] {
    var content = [UInt8](repeating: 0, count: 276 - 36)
    PEFile.store(UInt64(flags), 2, at: 129 - 36, &content)
    return table("FACP", revision: revision, content)
  }

  /// SPCR: a device of this type, at `address` in memory.
  public static func console(
    _ type: UInt8, _ address: UInt64, accessSize: UInt8 = 3, space: UInt8 = 0
  ) -> [UInt8] {
    var content = [UInt8](repeating: 0, count: 80 - 36)
    content[0] = type
    content[4] = space
    content[5] = 32
    content[7] = accessSize
    PEFile.store(address, 8, at: 8, &content)
    return table("SPCR", revision: 2, content)
  }

  /// MADT of these structures.
  public static func controllers(_ structures: [[UInt8]]) -> [UInt8] {
    table("APIC", [UInt8](repeating: 0, count: 8) + structures.joined())
  }

  /// GICC: a CPU.
  public static func cpu(_ affinity: UInt64, isEnabled: Bool = true, frame: UInt64 = 0) -> [UInt8] {
    var structure = [UInt8](repeating: 0, count: 80)
    structure[0] = 0x0b
    structure[1] = 80
    structure[12] = isEnabled ? 1 : 0
    PEFile.store(frame, 8, at: 60, &structure)
    PEFile.store(affinity, 8, at: 68, &structure)
    return structure
  }

  /// GICR: a region of redistributors.
  public static func region(_ address: UInt64, _ size: UInt32) -> [UInt8] {
    var structure = [UInt8](repeating: 0, count: 16)
    structure[0] = 0x0e
    structure[1] = 16
    PEFile.store(address, 8, at: 4, &structure)
    PEFile.store(UInt64(size), 4, at: 12, &structure)
    return structure
  }
}
