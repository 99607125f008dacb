import PhysicalMemory

extension FakeLinux {
  /// The memory that `crashMachine()` reserves: high, and low for DMA.
  static let crashRegion = PhysicalRange(
    PhysicalAddress(0xa000_0000), upTo: PhysicalAddress(0xb000_0000))
  static let lowCrashRegion = PhysicalRange(
    PhysicalAddress(0x5000_0000), upTo: PhysicalAddress(0x5200_0000))

  /// The machine with two reservations, three CPUs of five that may exist, and a kernel that tells
  /// where it runs.
  static func crashMachine() throws -> FakeLinux {
    let linux = try machine()
    linux.files["/proc/iomem"] = Array(
      """
      09000000-09000fff : pl011@9000000
      40000000-bfffffff : System RAM
        40210000-415fffff : Kernel code
        41600000-4190ffff : reserved
        41910000-41c9ffff : Kernel data
        48000000-480fffff : reserved
        50000000-51ffffff : Crash kernel
        a0000000-afffffff : Crash kernel

      """.utf8)
    let cpu = "/sys/devices/system/cpu/"
    linux.files[cpu + "possible"] = Array("0-4\n".utf8)
    for (number, address) in [(0, "bfbd4000"), (1, "bfbea000"), (3, "bfc16000")] {
      linux.files[cpu + "cpu\(number)/crash_notes"] = Array((address + "\n").utf8)
      linux.files[cpu + "cpu\(number)/crash_notes_size"] = Array("424\n".utf8)
    }
    linux.files["/sys/kernel/vmcoreinfo"] = Array("0x00000000422fe000 1024\n".utf8)
    linux.files["/proc/sys/kernel/osrelease"] = Array("6.1.0-50-cloud-arm64\n".utf8)
    linux.files["/proc/kcore"] = core(
      notes: [
        ("CORE", [UInt8](repeating: 7, count: 13)),
        ("VMCOREINFO", Array(coreInfo.utf8)),
      ])
    return linux
  }

  static let coreInfo = """
    OSRELEASE=6.1.0-50-cloud-arm64
    PAGESIZE=4096
    NUMBER(VA_BITS)=48
    NUMBER(kimage_voffset)=0xffffbd3059000000
    NUMBER(PHYS_OFFSET)=0x40000000

    """

  /// The beginning of an ELF core file with these notes, behind one other program header.
  static func core(notes: [(name: String, content: [UInt8])]) -> [UInt8] {
    func littleEndian(_ value: Int, _ size: Int) -> [UInt8] {
      (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    func padded(_ bytes: [UInt8]) -> [UInt8] {
      bytes + [UInt8](repeating: 0, count: -bytes.count & 3)
    }
    var content: [UInt8] = []
    for note in notes {
      let name = Array(note.name.utf8) + [0]
      content += littleEndian(name.count, 4) + littleEndian(note.content.count, 4)
      content += littleEndian(0, 4) + padded(name) + padded(note.content)
    }
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8)
    file += littleEndian(4, 2) + littleEndian(183, 2) + littleEndian(1, 4)
    file += littleEndian(0, 8) + littleEndian(64, 8) + littleEndian(0, 8) + littleEndian(0, 4)
    file += littleEndian(64, 2) + littleEndian(56, 2) + littleEndian(2, 2)
    file += [UInt8](repeating: 0, count: 64 - file.count)
    for (type, start, size) in [(1, 4096, 4096), (4, 64 + 2 * 56, content.count)] {
      file += littleEndian(type, 4) + littleEndian(0, 4) + littleEndian(start, 8)
      file += littleEndian(0, 8) + littleEndian(0, 8) + littleEndian(size, 8)
      file += littleEndian(size, 8) + littleEndian(0, 8)
    }
    return file + content
  }
}
