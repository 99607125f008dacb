import LinuxHost
import PhysicalMemory
import TestSupport
import Testing

@Suite struct SystemMemoryMapTests {
  @Test func `A 6.1 cloud kernel's map is taken apart`() throws {
    let map = try SystemMemoryMap(iomem: Array(virtualMachine.utf8))
    #expect(map.systemRAM.ranges == [range(0x4000_0000, 0xc000_0000)])
    #expect(map.kernelImage == range(0x4021_0000, 0x41ca_0000))
    #expect(map.crashKernel.ranges == [range(0xa000_0000, 0xc000_0000)])
    #expect(map.reserved.ranges == [range(0x4800_0000, 0x4810_0000)])
  }

  @Test func `Init sections between code and data belong to the kernel's image`() throws {
    let map = try SystemMemoryMap(iomem: Array(virtualMachine.utf8))
    #expect(!map.reserved.overlaps(range(0x4160_0000, 0x4191_0000)))
  }

  @Test func `What is available is neither reserved, nor the image, nor the crash kernel's`() throws
  {
    let map = try SystemMemoryMap(iomem: Array(virtualMachine.utf8))
    #expect(
      map.available.ranges == [
        range(0x4000_0000, 0x4021_0000), range(0x41ca_0000, 0x4800_0000),
        range(0x4810_0000, 0xa000_0000),
      ])
  }

  @Test func `Every bank of memory counts, and what lies in each is kept`() throws {
    let map = try SystemMemoryMap(iomem: Array(server.utf8))
    #expect(
      map.systemRAM.ranges == [
        range(0x8000_0000, 0xf85c_0000), range(0xf880_0000, 0xfc00_0000),
        range(0x80_0000_0000, 0xa0_0000_0000),
      ])
    #expect(map.kernelImage == range(0xe000_0000, 0xe28a_0000))
    #expect(
      map.crashKernel.ranges == [
        range(0xb000_0000, 0xb800_0000), range(0x9f_c000_0000, 0x9f_e000_0000),
      ])
    #expect(map.reserved.contains(range(0xf855_0000, 0xf85c_0000)))
    #expect(map.reserved.contains(range(0x9f_f000_0000, 0x9f_f000_1000)))
  }

  @Test func `A region beside System RAM is not memory, whatever its children are called`() throws {
    let map = try SystemMemoryMap(
      iomem: Array(
        """
        09000000-09000fff : pl011@9000000
          09000000-09000fff : Kernel code
        40000000-4fffffff : System RAM
        50000000-50ffffff : reserved
          50000000-50000fff : Crash kernel
        60000000-6fffffff : System RAM (kmem)

        """.utf8))
    #expect(map.systemRAM.ranges == [range(0x4000_0000, 0x5000_0000)])
    #expect(map.kernelImage == nil)
    #expect(map.crashKernel.isEmpty)
    #expect(map.reserved.isEmpty)
  }

  @Test func `A child of an unknown name must stay as it is`() throws {
    let map = try SystemMemoryMap(
      iomem: Array(
        """
        40000000-4fffffff : System RAM
          41000000-4100ffff : ACPI Tables
            41001000-41001fff : something inside

        """.utf8))
    #expect(map.reserved.ranges == [range(0x4100_0000, 0x4101_0000)])
  }

  @Test func `Addresses that are all 0 were hidden from an unprivileged reader`() {
    let hidden = """
      00000000-00000000 : pl011@9000000
      00000000-00000000 : System RAM
        00000000-00000000 : Kernel code
        00000000-00000000 : reserved
        00000000-00000000 : Kernel data

      """
    #expect(throws: SystemMemoryMap.Failure.addressesHidden) {
      try SystemMemoryMap(iomem: Array(hidden.utf8))
    }
  }

  @Test func `A map without System RAM is not taken for a hidden one`() {
    #expect(throws: SystemMemoryMap.Failure.noMemory) {
      try SystemMemoryMap(iomem: Array("09000000-09000fff : pl011@9000000\n".utf8))
    }
    #expect(throws: SystemMemoryMap.Failure.noMemory) { try SystemMemoryMap(iomem: []) }
  }

  @Test(arguments: [
    "40000000 : System RAM", "40000000-4fffffff System RAM", "40000000-4fffffff: System RAM",
    "4000000g-4fffffff : System RAM", "-4fffffff : System RAM", "40000000- : System RAM",
    "50000000-4fffffff : System RAM", "10000000000000000-1ffffffffffffffff : System RAM",
    "00000000-ffffffffffffffff : System RAM", "\u{0}", "nonsense", "    ",
  ])
  func `A line of another form is named by its number`(line: String) {
    let text = "40000000-4fffffff : System RAM\n" + line + "\n"
    #expect(throws: SystemMemoryMap.Failure.malformed(line: 2)) {
      try SystemMemoryMap(iomem: Array(text.utf8))
    }
  }

  @Test(arguments: 0..<32 as Range<UInt64>)
  func `Any machine's map is read back as it was written`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let machine = RandomMachine(using: &generator)
    let map = try SystemMemoryMap(iomem: Array(machine.text.utf8))
    #expect(map.systemRAM == machine.systemRAM, "seed \(seed)")
    #expect(map.reserved == machine.reserved, "seed \(seed)")
    #expect(map.crashKernel == machine.crashKernel, "seed \(seed)")
    #expect(map.available == machine.free, "seed \(seed)")
  }

  @Test(arguments: 0..<64 as Range<UInt64>)
  func `Damaged text is refused or understood, and never frees what is reserved`(
    seed: UInt64
  ) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<64 {
      var text = Array(server.utf8)
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        let place = Int.random(in: 0..<text.count, using: &generator)
        text[place] = UInt8.random(in: 0...127, using: &generator)
      }
      guard let map = try? SystemMemoryMap(iomem: text) else { continue }
      for range in map.available.ranges {
        #expect(map.systemRAM.contains(range), "seed \(seed)")
        #expect(!map.reserved.overlaps(range), "seed \(seed)")
        #expect(!map.crashKernel.overlaps(range), "seed \(seed)")
      }
    }
  }
}

private func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
  PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
}

/// QEMU's virt with 2 GiB, Debian 6.1, `crashkernel=512M`.
private let virtualMachine = """
  00000000-03ffffff : 0.flash flash@0
  09000000-09000fff : pl011@9000000
    09000000-09000fff : 9000000.pl011 pl011@9000000
  09010000-09010fff : pl031@9010000
    09010000-09010fff : rtc-pl031
  10000000-3efeffff : pcie@10000000
  40000000-bfffffff : System RAM
    40210000-415fffff : Kernel code
    41600000-4190ffff : reserved
    41910000-41c9ffff : Kernel data
    48000000-480fffff : reserved
    a0000000-bfffffff : Crash kernel
  4010000000-401fffffff : PCI ECAM
  8000000000-ffffffffff : pcie@10000000

  """

/// A server with firmware tables, two regions for a crash kernel and memory above 512 GiB.
private let server = """
  10000000-1fffffff : PCI ECAM
  80000000-f85bffff : System RAM
    b0000000-b7ffffff : Crash kernel
    e0000000-e1ffffff : Kernel code
    e2000000-e23fffff : reserved
    e2400000-e289ffff : Kernel data
    f8550000-f85bffff : reserved
  f85c0000-f87fffff : reserved
    f85c0000-f87fffff : ACPI Tables
  f8800000-fbffffff : System RAM
    f8900000-f8900fff : reserved
  8000000000-9fffffffff : System RAM
    9fc0000000-9fdfffffff : Crash kernel
    9ff0000000-9ff0000fff : reserved
      9ff0000000-9ff00000ff : deeper

  """
