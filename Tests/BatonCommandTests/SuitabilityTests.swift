import BatonCommand
import BootFormats
import LinuxHost
import PhysicalMemory
import Testing

/// What this machine can start, and where in its memory.
@Suite struct SuitabilityTests {
  @Test(arguments: [
    (["--mem-min=0x90000000"], 0x9000_0000, 0xc000_0000),
    (["--mem-max=2415919104"], 0x4000_0000, 0x9000_0000),
    (["--mem-min=0x60000000", "--mem-max=0X68000000"], 0x6000_0000, 0x6800_0000),
  ])
  func `Nothing is placed outside the bounds`(
    options: [String], start: UInt64, end: UInt64
  ) throws {
    let linux = try FakeLinux.machine()
    let load = ["-l", "/boot/Image", "--initrd=/boot/initrd"] + options
    #expect(Baton.run(load, system: linux) == .success)
    try expectSegments(of: linux, inside: range(start, end))
  }

  @Test func `What a loaded dump kernel and what the tree reserves are left alone`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/iomem"] = Array(
      """
      40000000-bfffffff : System RAM
        40210000-415fffff : Kernel code
        50000000-57ffffff : Crash kernel
        58000000-58ffffff : something-new@58000000

      """.utf8)
    var tree = FakeLinux.tree()
    tree.reservations = [range(0x5900_0000, 0x5a00_0000)]
    let parent = tree.addNode("reserved-memory", under: tree.root)
    tree.setProperty("#address-cells", of: parent, to: .init(2 as UInt32))
    tree.setProperty("#size-cells", of: parent, to: .init(2 as UInt32))
    tree.setProperty("ranges", of: parent, to: .init(bytes: []))
    let pool = tree.addNode("pool@5a000000", under: parent)
    var registers = DeviceTree.PropertyValue(bytes: [])
    registers.append(0x5a00_0000, cellCount: 2)
    registers.append(0x0100_0000, cellCount: 2)
    tree.setProperty("reg", of: pool, to: registers)
    linux.files["/sys/firmware/fdt"] = try tree.serialized()
    // All but the last 16 MiB of these bounds is somebody's.
    let load = [
      "-l", "/boot/Image", "--initrd=/boot/initrd", "--mem-min=0x50000000",
      "--mem-max=0x5c000000",
    ]
    #expect(Baton.run(load, system: linux) == .success)
    try expectSegments(of: linux, inside: range(0x5b00_0000, 0x5c00_0000))
  }

  @Test func `Another page size than the running kernel's is a warning on unknown CPUs`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/boot/Image"]?[24] = 0b1100
    linux.files["/sys/devices/system/cpu/cpu0/regs/identification/midr_el1"] = Array(
      "0x00000000414fd0c1\n".utf8)
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    #expect(linux.complaints.hasPrefix("baton: warning: /boot/Image has pages of 16K"))
    #expect(linux.effects.count == 1)
  }

  @Test(arguments: [
    ("0\n", ["spin-table"]), ("0-1\n", ["psci", "psci"]), ("0,2-3\n", []),
    ("none\n", ["spin-table"]),
  ])
  func `CPUs that can be switched off, or that never come, do not hinder`(
    possible: String, methods: [String]
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/devices/system/cpu/possible"] = Array(possible.utf8)
    linux.files["/sys/firmware/fdt"] = FakeLinux.tree(enableMethods: methods)
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
  }

  private func expectSegments(of linux: FakeLinux, inside bounds: PhysicalRange) throws {
    guard case .kexecLoad(_, _, let segments) = try #require(linux.effects.first) else {
      Issue.record("no load")
      return
    }
    for segment in segments {
      let destination = range(
        segment.destination, segment.destination + UInt64(segment.memorySize))
      #expect(bounds.contains(destination), "\(destination)")
    }
  }

  private func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
    PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
  }
}
