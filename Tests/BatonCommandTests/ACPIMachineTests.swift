import BatonCommand
import BootFormats
import LinuxHost
import TestSupport
import Testing

/// Machines that ACPI describes: the tree that UEFI's stub left holds /chosen and nothing else.
@Suite struct ACPIMachineTests {
  private static let folder = "/sys/firmware/acpi/tables/"

  private static func machine() throws -> FakeLinux {
    let linux = try FakeLinux.machine()
    linux.files["/sys/firmware/fdt"] = try FakeLinux.bootLoadersTree()
    linux.files[folder + "FACP"] = ACPITables.firmware(1)
    linux.files[folder + "SPCR"] = ACPITables.console(3, 0x900_0000)
    linux.files[folder + "APIC"] = ACPITables.controllers([
      ACPITables.cpu(0), ACPITables.cpu(1), ACPITables.cpu(2, isEnabled: false),
      ACPITables.region(0x80a_0000, 0xf6_0000),
    ])
    return linux
  }

  @Test func `Console and conduit come from the tables, and UEFI's properties are handed on`()
    throws
  {
    let linux = try Self.machine()
    #expect(Baton.run(["-l", "/boot/Image", "-d"], system: linux) == .success)
    #expect(linux.complaints == "")
    #expect(linux.output.contains("console pl011 at 0x000009000000, PSCI by smc"))
    guard case .kexecLoad(_, _, let segments) = try #require(linux.effects.first) else {
      Issue.record("the first effect is no load")
      return
    }
    let blob = try #require(segments.first { $0.bytes.starts(with: [0xd0, 0x0d, 0xfe, 0xed]) })
    // Sound: a span of bytes as the bytes that they are.
    let tree = try DeviceTree(parsing: unsafe blob.bytes.span.bytes)
    let chosen = try #require(tree.node(at: "/chosen"))
    #expect(tree.property("linux,uefi-system-table", of: chosen)?.u64 == 0xbfff_0018)
    #expect(tree.property("linux,uefi-mmap-start", of: chosen)?.u64 == 0x4800_0018)
    #expect(tree.property("linux,uefi-mmap-size", of: chosen)?.u32 == 0x900)
    #expect(tree.property("linux,uefi-mmap-desc-size", of: chosen)?.u32 == 0x30)
    #expect(tree.property("linux,uefi-mmap-desc-ver", of: chosen)?.u32 == 1)
    // With another node the next kernel would not look for ACPI.
    #expect(tree.children(of: tree.root) == [chosen])
    // The firmware's memory map lies in what /proc/iomem calls reserved.
    for segment in segments {
      let end = segment.destination + UInt64(segment.memorySize)
      #expect(end <= 0x4800_0000 || segment.destination >= 0x4810_0000)
    }
  }

  @Test func `Behind UEFI no initrd is one of zeros, so that the first kernel's is not taken`()
    throws
  {
    func hasZeros() throws -> Bool {
      let linux = try Self.machine()
      linux.files["/sys/firmware/efi/systab"] = Array("ACPI20=0xbc430018\n".utf8)
      #expect(Baton.run(["-l", "/boot/Image"] + options, system: linux) == .success)
      guard case .kexecLoad(_, _, let segments) = try #require(linux.effects.first) else {
        return false
      }
      return segments.contains { $0.bytes == [0, 0, 0, 0] }
    }
    var options: [String] = []
    #expect(try hasZeros())
    options = ["--initrd=/boot/initrd"]
    #expect(try !hasZeros())
  }

  @Test func `All CPUs share the work where all that ACPI has enabled are online`() throws {
    func processors(online: String) throws -> String {
      let linux = try Self.machine()
      linux.files["/sys/devices/system/cpu/online"] = Array((online + "\n").utf8)
      linux.files["/sys/devices/system/cpu/possible"] = Array("0-1\n".utf8)
      linux.files["/boot/initrd"] = [UInt8](repeating: 7, count: 16 << 20)
      let options = ["-l", "/boot/Image", "--initrd=/boot/initrd", "--dry-run"]
      #expect(Baton.run(options, system: linux) == .success, "\(linux.complaints)")
      return linux.output
    }
    // Another CPU's stack makes the stage's memory larger.
    #expect(try processors(online: "0-1") != processors(online: "0"))
  }

  @Test(arguments: [
    ("FACP", "/sys/firmware/acpi/tables/FACP is broken: its checksum does not match"),
    ("APIC", "/sys/firmware/acpi/tables/APIC is broken: its checksum does not match"),
  ])
  func `A broken table is named`(name: String, words: String) throws {
    let linux = try Self.machine()
    linux.files[Self.folder + name]?[20] ^= 1
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .unsupported)
    #expect(linux.complaints.contains(words), "\(linux.complaints)")
    #expect(linux.effects.isEmpty)
  }

  @Test func `A broken table of the console is named, and the load goes on`() throws {
    let linux = try Self.machine()
    linux.files[Self.folder + "SPCR"]?[20] ^= 1
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    #expect(linux.complaints.contains("tables/SPCR is broken: its checksum does not match"))
    #expect(linux.complaints.contains("in ACPI's SPCR: it will be silent"))
  }

  @Test func `Without a way to reset a load is refused, unless it is told to halt`() throws {
    let linux = try Self.machine()
    linux.files[Self.folder + "FACP"] = ACPITables.firmware(0)
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .unsupported)
    #expect(linux.complaints.contains("nothing could reset this machine"))
    #expect(linux.complaints.contains("--on-failure=halt"))
    #expect(linux.effects.isEmpty)
    #expect(Baton.run(["-l", "/boot/Image", "--on-failure=halt"], system: linux) == .success)
    #expect(linux.complaints.contains("no PSCI in ACPI's FADT"))
    // CPUs of the parking protocol cannot be switched off.
    linux.files["/sys/devices/system/cpu/possible"] = Array("0-1\n".utf8)
    #expect(Baton.run(["-l", "/boot/Image", "--on-failure=halt"], system: linux) == .unsupported)
  }

  @Test func `The same holds where a device tree has no PSCI`() throws {
    let linux = try FakeLinux.machine()
    var tree = FakeLinux.tree()
    tree.removeNode(try #require(tree.node(at: "/psci")))
    linux.files["/sys/firmware/fdt"] = try tree.serialized()
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .unsupported)
    #expect(linux.complaints.contains("nothing could reset this machine"))
    #expect(linux.effects.isEmpty)
  }
}
