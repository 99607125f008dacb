import BootFormats
import PhysicalMemory
import TestSupport
import Testing

/// The three ACPI tables that say how to report, to reset and to switch LPIs off.
@Suite struct ACPITableTests {
  // Sound, in all three: spans of bytes as the bytes that they are.
  private func psci(_ table: [UInt8]) throws(ACPITableError) -> PSCIDescription? {
    try ACPIFirmware.psci(parsing: unsafe table.span.bytes)
  }

  private func console(_ table: [UInt8]) throws(ACPITableError) -> ConsoleDescription? {
    try ACPIConsole.console(parsing: unsafe table.span.bytes)
  }

  private func controllers(_ table: [UInt8]) throws(ACPITableError) -> ACPIInterruptControllers {
    try ACPIInterruptControllers(parsing: unsafe table.span.bytes)
  }

  private func range(_ start: UInt64, _ size: UInt64) throws -> PhysicalRange {
    try #require(PhysicalRange(start: PhysicalAddress(start), size: size))
  }

  @Test func `The conduit is what the boot flags say, and none where they are not there`() throws {
    #expect(try psci(ACPITables.firmware(1))?.conduit == .smc)
    #expect(try psci(ACPITables.firmware(3))?.conduit == .hvc)
    #expect(try psci(ACPITables.firmware(2)) == nil)
    #expect(try psci(ACPITables.firmware(0)) == nil)
    // ACPI before 5.1 has other things there.
    #expect(try psci(ACPITables.firmware(1, revision: 4)) == nil)
    #expect(
      try psci(ACPITables.table("FACP", [UInt8](repeating: 0, count: 116 - 36))) == nil)
  }

  @Test(
    arguments: [
      (0x03, 3, .pl011, 0x1000), (0x0e, 3, .sbsaUART, 0x1000), (0x0d, 3, .sbsaUART, 0x1000),
      (0x00, 0, .ns16550(registerShift: 0, accessWidth: 1), 8),
      (0x01, 1, .ns16550(registerShift: 0, accessWidth: 1), 8),
      (0x12, 2, .ns16550(registerShift: 1, accessWidth: 2), 16),
      (0x12, 3, .ns16550(registerShift: 2, accessWidth: 4), 32),
    ] as [(UInt8, UInt8, ConsoleDescription.Kind, UInt64)])
  func `Each kind of console is found with its registers`(
    type: UInt8, accessSize: UInt8, kind: ConsoleDescription.Kind, size: UInt64
  ) throws {
    let found = try console(ACPITables.console(type, 0x900_0000, accessSize: accessSize))
    #expect(found?.kind == kind)
    #expect(found?.registers == (try range(0x900_0000, size)))
  }

  @Test func `A console that is off, unknown or no memory is none`() throws {
    #expect(try console(ACPITables.console(3, 0)) == nil)
    #expect(try console(ACPITables.console(0x10, 0x900_0000)) == nil)
    #expect(try console(ACPITables.console(0, 0x3f8, space: 1)) == nil)
  }

  @Test func `Enabled CPUs are listed, and the regions of their redistributors`() throws {
    let found = try controllers(
      ACPITables.controllers([
        [0x0c, 24] + [UInt8](repeating: 0, count: 22),
        ACPITables.cpu(0), ACPITables.cpu(1, isEnabled: false), ACPITables.cpu(0x1_0000_0100),
        ACPITables.region(0x80a_0000, 0xf6_0000), ACPITables.region(0x40_0000_0000, 0x10_0000),
      ]))
    #expect(found.affinities == [0, 0x1_0000_0100])
    #expect(
      found.redistributors
        == [try range(0x80a_0000, 0xf6_0000), try range(0x40_0000_0000, 0x10_0000)])
  }

  @Test func `Redistributors that CPUs name are merged where they touch, enabled ones only`() throws
  {
    let found = try controllers(
      ACPITables.controllers([
        ACPITables.cpu(0, frame: 0x80a_0000), ACPITables.cpu(1, frame: 0x80c_0000),
        ACPITables.cpu(2, isEnabled: false, frame: 0x80e_0000),
        ACPITables.cpu(3, frame: 0x90a_0000),
      ]))
    #expect(
      found.redistributors == [try range(0x80a_0000, 0x4_0000), try range(0x90a_0000, 0x2_0000)])
    #expect(try controllers(ACPITables.controllers([ACPITables.cpu(0)])).redistributors == [])
  }

  /// Which table is read, the table, and why it is refused.
  struct Broken: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let kind: ACPITableKind
    let table: [UInt8]
    let error: ACPITableError

    init(_ name: String, _ kind: ACPITableKind, _ table: [UInt8], _ error: ACPITableError) {
      testDescription = String(describing: kind) + ": " + name
      self.kind = kind
      self.table = table
      self.error = error
    }
  }

  /// What any table may have, done to one that is whole.
  private static func broken(
    _ kind: ACPITableKind, _ whole: [UInt8], minimum: Int
  ) -> [Broken] {
    func changed(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
      var table = whole
      change(&table)
      return table
    }
    let size = whole.count
    return [
      Broken("empty", kind, [], .tooShort(size: 0)),
      Broken("header alone", kind, Array(whole.prefix(36)), .tooShort(size: 36)),
      Broken(
        "a byte short of the least", kind, Array(whole.prefix(minimum - 1)),
        .tooShort(size: minimum - 1)),
      Broken(
        "cut", kind, Array(whole.dropLast()), .wrongLength(length: UInt32(size), size: size - 1)),
      Broken("longer", kind, whole + [0], .wrongLength(length: UInt32(size), size: size + 1)),
      Broken(
        "length 0", kind, changed { PEFile.store(0, 4, at: 4, &$0) },
        .wrongLength(length: 0, size: size)),
      Broken(
        "length of 32 bits", kind, changed { PEFile.store(0xffff_ffff, 4, at: 4, &$0) },
        .wrongLength(length: 0xffff_ffff, size: size)),
      Broken("another table", kind, ACPITables.checked(changed { $0[0] ^= 1 }), .wrongSignature),
      Broken("a bit of the content", kind, changed { $0[minimum - 1] ^= 1 }, .wrongChecksum),
      Broken("checksum", kind, changed { $0[9] ^= 0x80 }, .wrongChecksum),
    ]
  }

  private static func list(_ name: String, _ structure: [UInt8], _ error: ACPITableError) -> Broken
  {
    Broken(name, .interruptControllers, ACPITables.controllers([structure]), error)
  }

  private static let brokenTables: [Broken] =
    broken(.fixedDescription, ACPITables.firmware(1), minimum: 116)
    + broken(.serialConsole, ACPITables.console(3, 0x900_0000), minimum: 52)
    + broken(.interruptControllers, ACPITables.controllers([ACPITables.cpu(0)]), minimum: 44) + [
      Broken(
        "access size that is none", .serialConsole,
        ACPITables.console(0, 0x900_0000, accessSize: 4), .badField(offset: 43)),
      Broken(
        "registers beyond the last byte", .serialConsole,
        ACPITables.console(3, 0xffff_ffff_ffff_f001), .badField(offset: 44)),
      list("affinity with other bits", ACPITables.cpu(1 << 31), .badField(offset: 44 + 68)),
      list("frame between pages", ACPITables.cpu(0, frame: 0x1234), .badField(offset: 44 + 60)),
      list("region between pages", ACPITables.region(0x1234, 0x10000), .badField(offset: 44 + 4)),
      list(
        "region beyond the last byte", ACPITables.region(0xffff_ffff_ffff_0000, 0x20000),
        .badField(offset: 44 + 4)),
      list("structure of length 0", [0x0b, 0], .badEntry(offset: 44)),
      list("structure of length 1", [0x0b, 1], .badEntry(offset: 44)),
      list("structure that is cut", [0x0b, 76], .badEntry(offset: 44)),
      list("structure without a length", [5], .badEntry(offset: 44)),
      list(
        "CPU of ACPI 5.0", [0x0b, 40] + [UInt8](repeating: 0, count: 38), .badEntry(offset: 44)),
      list(
        "region without a size", [0x0e, 15] + [UInt8](repeating: 0, count: 13),
        .badEntry(offset: 44)),
      Broken(
        "second structure that is cut", .interruptControllers,
        ACPITables.controllers([ACPITables.cpu(0), [0x0b, 80]]), .badEntry(offset: 44 + 80)),
    ]

  @Test(arguments: brokenTables)
  func `A broken table is refused for what is broken`(broken: Broken) {
    #expect(throws: broken.error) {
      switch broken.kind {
      case .fixedDescription: _ = try psci(broken.table)
      case .serialConsole: _ = try console(broken.table)
      case .interruptControllers: _ = try controllers(broken.table)
      }
    }
  }

  @Test func `No damage traps, with the checksum made right or not`() {
    let tables = [
      ACPITables.firmware(1), ACPITables.console(3, 0x900_0000),
      ACPITables.controllers([
        ACPITables.cpu(0, frame: 0x80a_0000), ACPITables.region(0x80a_0000, 0xf6_0000),
      ]),
    ]
    var generator = SeededGenerator(seed: 0xac91)
    for _ in 0..<6000 {
      var table = tables.randomElement(using: &generator) ?? []
      if Int.random(in: 0..<4, using: &generator) == 0 {
        table.removeLast(Int.random(in: 0...table.count - 10, using: &generator))
        PEFile.store(UInt64(table.count), 4, at: 4, &table)
      }
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        table[Int.random(in: 0..<table.count, using: &generator)] = UInt8.random(
          in: 0...255, using: &generator)
      }
      for bytes in [table, ACPITables.checked(table)] {
        _ = try? psci(bytes)
        if let found = try? console(bytes) { #expect(!found.registers.isEmpty) }
        _ = try? controllers(bytes)
      }
    }
  }
}
