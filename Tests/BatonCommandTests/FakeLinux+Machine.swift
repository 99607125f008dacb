import BootFormats

extension FakeLinux {
  /// A machine as QEMU's virt with 2 GiB, whose kernel was booted at EL2 and would load
  /// /boot/Image with /boot/initrd.
  static func machine() throws -> FakeLinux {
    let linux = FakeLinux()
    linux.files = [
      "/boot/Image": kernelImage,
      "/boot/initrd": (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) },
      "/proc/cmdline": Array("BOOT_IMAGE=/vmlinuz console=ttyAMA0 root=/dev/vda1\n".utf8),
      "/proc/interrupts": Array(
        "           CPU0\n 11:       2613     GICv3  30 Level     arch_timer\n".utf8),
      "/proc/iomem": Array(
        """
        09000000-09000fff : pl011@9000000
        40000000-bfffffff : System RAM
          40210000-415fffff : Kernel code
          41600000-4190ffff : reserved
          41910000-41c9ffff : Kernel data
          48000000-480fffff : reserved

        """.utf8),
      "/proc/sys/kernel/random/boot_id": Array("5f2a9d60-0000-4000-8000-000000000001\n".utf8),
      "/proc/sys/kernel/kexec_load_disabled": Array("0\n".utf8),
      "/sys/firmware/fdt": try tree().serialized(),
      "/sys/kernel/kexec_crash_loaded": Array("0\n".utf8),
      "/sys/kernel/kexec_loaded": Array("0\n".utf8),
      "/sys/kernel/security/lockdown": Array("[none] integrity confidentiality\n".utf8),
    ]
    return linux
  }

  /// The same with a region for a crash kernel, 64 MiB if nothing else is said.
  static func reserving(_ size: UInt64 = 64 << 20) throws -> FakeLinux {
    let linux = try machine()
    let start: UInt64 = 0xa000_0000
    linux.files["/proc/iomem"]? += Array(
      "  \(String(start, radix: 16))-\(String(start + size - 1, radix: 16)) : Crash kernel\n".utf8)
    linux.files["/sys/kernel/kexec_crash_size"] = Array("\(size)\n".utf8)
    return linux
  }

  /// An Image that asks for 2 MiB anywhere.
  static var kernelImage: [UInt8] { kernelImage(flags: 0b1010) }

  /// - Parameter flags: of the header (booting.rst); without bit 3 it wants to lie low.
  static func kernelImage(flags: UInt64) -> [UInt8] {
    var bytes = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
    func store(_ value: UInt64, at offset: Int) {
      for index in 0..<8 {
        bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
      }
    }
    store(0, at: 0)
    store(0, at: 8)
    store(0x20_0000, at: 16)
    store(flags, at: 24)
    store(0x644d_5241, at: 56)
    return bytes
  }

  /// A gzip file (RFC 1952) that holds `content` in stored blocks (RFC 1951, 3.2.4).
  static func stored(_ content: [UInt8]) -> [UInt8] {
    func littleEndian(_ value: UInt32, count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
    }
    var bytes: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]
    var crc: UInt32 = .max
    for byte in content {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
    }
    for start in stride(from: 0, to: content.count, by: 0xffff) {
      let end = min(start + 0xffff, content.count)
      let size = UInt32(end - start)
      bytes.append(end == content.count ? 1 : 0)
      bytes += littleEndian(size, count: 2) + littleEndian(~size, count: 2) + content[start..<end]
    }
    return bytes + littleEndian(~crc, count: 4) + littleEndian(UInt32(content.count), count: 4)
  }

  /// The tree with CPUs that are switched by these methods.
  static func tree(enableMethods: [String]) -> [UInt8] {
    var tree = tree()
    let cpus = tree.addNode("cpus", under: tree.root)
    for (index, method) in enableMethods.enumerated() {
      let cpu = tree.addNode("cpu@\(index)", under: cpus)
      tree.setProperty("device_type", of: cpu, to: .init("cpu"))
      tree.setProperty("enable-method", of: cpu, to: .init(method))
    }
    do { return try tree.serialized() } catch { return [] }
  }

  /// What UEFI's stub leaves where ACPI describes the machine.
  static func bootLoadersTree() throws -> [UInt8] {
    var tree = DeviceTree()
    let chosen = tree.addNode("chosen", under: tree.root)
    tree.setProperty("bootargs", of: chosen, to: .init("quiet"))
    tree.setProperty("linux,uefi-system-table", of: chosen, to: .init(0xbfff_0018 as UInt64))
    tree.setProperty("linux,uefi-mmap-start", of: chosen, to: .init(0x4800_0018 as UInt64))
    tree.setProperty("linux,uefi-mmap-size", of: chosen, to: .init(0x900 as UInt32))
    tree.setProperty("linux,uefi-mmap-desc-size", of: chosen, to: .init(0x30 as UInt32))
    tree.setProperty("linux,uefi-mmap-desc-ver", of: chosen, to: .init(1 as UInt32))
    return try tree.serialized()
  }

  /// The running kernel's tree, its leftovers included.
  static func tree(console: UInt64 = 0x900_0000, size: UInt64 = 0x1000) -> DeviceTree {
    var tree = DeviceTree()
    let root = tree.root
    tree.setProperty("#address-cells", of: root, to: .init(2 as UInt32))
    tree.setProperty("#size-cells", of: root, to: .init(2 as UInt32))
    let psci = tree.addNode("psci", under: root)
    tree.setProperty("compatible", of: psci, to: .init("arm,psci-1.0"))
    tree.setProperty("method", of: psci, to: .init("smc"))
    let uart = tree.addNode("pl011@9000000", under: root)
    tree.setProperty("compatible", of: uart, to: .init("arm,pl011"))
    var registers = DeviceTree.PropertyValue(bytes: [])
    registers.append(console, cellCount: 2)
    registers.append(size, cellCount: 2)
    tree.setProperty("reg", of: uart, to: registers)
    let chosen = tree.addNode("chosen", under: root)
    tree.setProperty("stdout-path", of: chosen, to: .init("/pl011@9000000"))
    tree.setProperty("bootargs", of: chosen, to: .init("of the running kernel"))
    tree.setProperty("linux,initrd-start", of: chosen, to: .init(0x4800_0000 as UInt64))
    tree.setProperty("linux,initrd-end", of: chosen, to: .init(0x4810_0000 as UInt64))
    return tree
  }
}
