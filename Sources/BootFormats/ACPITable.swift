// An ACPI table (ACPI 6.5, 5.2.6 "System Description Table Header"), little-endian:
//
//   0 signature   4 length   8 revision   9 checksum   10 OEM's identification …   36 content

/// Which of ACPI's tables is meant.
public enum ACPITableKind: Sendable, Hashable, CaseIterable {
  /// FADT: how the firmware is called.
  case fixedDescription
  /// SPCR: the console.
  case serialConsole
  /// MADT: CPUs and interrupt controllers.
  case interruptControllers

  /// The signature, under which Linux shows the table in /sys/firmware/acpi/tables.
  public var signature: StaticString {
    switch self {
    case .fixedDescription: "FACP"
    case .serialConsole: "SPCR"
    case .interruptControllers: "APIC"
    }
  }
}

/// Why an ACPI table cannot be read. Sizes and offsets are in bytes.
public enum ACPITableError: Error, Sendable, Hashable {
  /// The table ends before what everybody has to have does.
  case tooShort(size: Int)
  case wrongSignature
  /// The header's length is not the table's.
  case wrongLength(length: UInt32, size: Int)
  /// The bytes do not add up to 0.
  case wrongChecksum
  /// A structure in the list is empty or reaches beyond the table's end.
  case badEntry(offset: Int)
  /// A field has a value that means nothing.
  case badField(offset: Int)
}

extension RawSpan {
  /// Checks the header of a table, which is all of the bytes.
  ///
  /// - Parameter minimumSize: what the table has at least, its header included.
  func checkACPITable(
    _ kind: ACPITableKind, minimumSize: Int
  ) throws(ACPITableError) {
    guard byteCount >= minimumSize, let length = littleEndian(UInt32.self, at: 4) else {
      throw .tooShort(size: byteCount)
    }
    guard hasText(kind.signature, at: 0) else { throw .wrongSignature }
    guard Int(length) == byteCount else { throw .wrongLength(length: length, size: byteCount) }
    var sum: UInt8 = 0
    for offset in 0..<byteCount { sum &+= byte(at: offset) ?? 0 }
    guard sum == 0 else { throw .wrongChecksum }
  }
}
