import BootFormats
import HardwareDescription
import KexecRelocation
import LinuxHost

/// What ACPI tells of a machine, where the running kernel uses it: its device tree then holds what
/// the boot loader said, and no hardware.
struct ACPIMachine {
  let hardware: Hardware
  /// The affinities of the CPUs that the firmware has enabled.
  let affinities: [UInt64]
  /// Sentences about what cannot be read and is done without.
  private(set) var warnings: [String] = []

  /// Nil where the running kernel does not use ACPI: it then shows no tables.
  ///
  /// - Throws: `BatonError` for a table that cannot be read or is broken. Without the console's
  ///   there is a warning: the stage can be silent.
  init?<System: LinuxSystem>(_ system: System) throws(BatonError) {
    guard let firmware = try Self.table(.fixedDescription, system) else { return nil }
    let psci = try Self.parse(.fixedDescription, firmware) { bytes throws(ACPITableError) in
      try ACPIFirmware.psci(parsing: bytes)
    }
    var controllers: ACPIInterruptControllers?
    if let table = try Self.table(.interruptControllers, system) {
      controllers = try Self.parse(.interruptControllers, table) { bytes throws(ACPITableError) in
        try ACPIInterruptControllers(parsing: bytes)
      }
    }
    var console: ConsoleDescription?
    do throws(BatonError) {
      if let table = try Self.table(.serialConsole, system) {
        console = try Self.parse(.serialConsole, table) { bytes throws(ACPITableError) in
          try ACPIConsole.console(parsing: bytes)
        }
      }
    } catch {
      warnings.append(error.sentence)
    }
    hardware = Hardware(
      psci: psci, console: console, redistributors: controllers?.redistributors ?? [])
    affinities = controllers?.affinities ?? []
  }

  static func path(_ kind: ACPITableKind) -> String {
    "/sys/firmware/acpi/tables/" + String(kind.signature)
  }

  private static func table<System: LinuxSystem>(
    _ kind: ACPITableKind, _ system: System
  ) throws(BatonError) -> [UInt8]? {
    do throws(Errno) { return try system.read(path(kind)) } catch {
      if error == .noSuchFile { return nil }
      throw .file(path(kind), error)
    }
  }

  private static func parse<Result>(
    _ kind: ACPITableKind, _ table: [UInt8],
    _ body: (RawSpan) throws(ACPITableError) -> Result
  ) throws(BatonError) -> Result {
    // Sound: a span of bytes as the bytes that they are.
    do throws(ACPITableError) { return try body(unsafe table.span.bytes) } catch {
      throw .acpi(kind, error)
    }
  }
}

extension ACPITableError {
  var text: String {
    switch self {
    case .tooShort(let size): "its " + String(size) + " bytes are too few"
    case .wrongSignature: "it has another signature"
    case .wrongLength(let length, let size):
      "it says that it has " + String(length) + " bytes, and there are " + String(size)
    case .wrongChecksum: "its checksum does not match"
    case .badEntry(let offset): "the structure at byte " + String(offset) + " is not whole"
    case .badField(let offset): "the value at byte " + String(offset) + " is impossible"
    }
  }
}
