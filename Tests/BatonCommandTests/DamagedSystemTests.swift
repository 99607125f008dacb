import BatonCommand
import BootFormats
import LinuxHost
import TestSupport
import Testing

/// Everything that the kernel shows and that earlier runs have left, damaged at random: whatever is
/// asked then ends in a sentence or in what it should do, and never in a trap.
@Suite struct DamagedSystemTests {
  /// A machine that shows all that Baton ever reads, of a kind by its number: with a device tree,
  /// or UEFI with ACPI; with a kernel loaded in one slot, in both, staged, or in none.
  private static func machine(_ kind: Int) throws -> FakeLinux {
    let linux = try FakeLinux.crashMachine()
    linux.files["/boot/initrd2"] = [1, 2, 3]
    linux.files["/boot/dtb"] = try FakeLinux.tree().serialized()
    linux.files["/proc/kallsyms"] = Array(
      "ffffbd3099200000 T _text\nffffbd3099210000 T _stext\n".utf8)
    linux.files["/proc/meminfo"] = Array("MemTotal: 2000000 kB\nMemAvailable: 524288 kB\n".utf8)
    linux.files["/proc/sys/kernel/kexec_load_limit_reboot"] = Array("20\n".utf8)
    linux.files["/proc/sys/kernel/kexec_load_limit_panic"] = Array("-1\n".utf8)
    linux.files["/sys/kernel/kexec_crash_size"] = Array("268435456\n".utf8)
    let cpu = "/sys/devices/system/cpu/"
    linux.files[cpu + "online"] = Array("0-1,3\n".utf8)
    linux.files[cpu + "cpu0/regs/identification/midr_el1"] = Array("0x00000000411fd070\n".utf8)
    for number in 0..<4 {
      linux.files[cpu + "cpu\(number)/of_node/reg"] = [0, 0, 0, UInt8(number)]
    }
    let watchdog = "/sys/class/watchdog/watchdog0/"
    linux.files[watchdog + "state"] = Array("active\n".utf8)
    linux.files[watchdog + "timeout"] = Array("30\n".utf8)
    linux.files[watchdog + "timeleft"] = Array("27\n".utf8)
    if kind & 1 == 1 {
      let tables = "/sys/firmware/acpi/tables/"
      linux.files["/sys/firmware/fdt"] = try FakeLinux.bootLoadersTree()
      linux.files["/sys/firmware/efi/systab"] = Array("ACPI20=0xbc430018\n".utf8)
      linux.files[tables + "FACP"] = ACPITables.firmware(1)
      linux.files[tables + "SPCR"] = ACPITables.console(3, 0x900_0000)
      linux.files[tables + "APIC"] = ACPITables.controllers([
        ACPITables.cpu(0), ACPITables.cpu(1), ACPITables.region(0x80a_0000, 0xf6_0000),
      ])
    }
    if kind & 2 == 2 {
      _ = Baton.run(["-p", "/boot/Image", "--append=x", "--initrd=/boot/initrd"], system: linux)
    }
    if kind & 4 == 4 {
      _ = Baton.run(["-l", "/boot/Image", "--initrd=/boot/initrd"], system: linux)
      linux.onReboot = { $0.files["/noted"] = $0.files["/var/lib/baton/last.json"] }
      _ = Baton.run(["-e"], system: linux)
      linux.files["/var/lib/baton/last.json"] = linux.files.removeValue(forKey: "/noted")
      linux.files["/sys/firmware/devicetree/base/chosen/baton,handoff-record"] = (0..<88).map {
        UInt8(truncatingIfNeeded: $0 &* 5)
      }
    }
    return linux
  }

  private static let commands = [
    ["-l", "/boot/Image", "--initrd=/boot/initrd", "--reuse-cmdline", "-d"],
    ["-l", "/boot/Image", "--dtb=/boot/dtb", "--serial=ttyAMA0", "--via=memory"],
    ["-l", "/boot/Image", "--initrd=/boot/initrd", "--initrd=/boot/initrd2", "-i", "--json", "-d"],
    ["-l", "/boot/Image", "--via=file"],
    ["-p", "/boot/Image", "--initrd=/boot/initrd", "--reuse-cmdline", "-d"],
    ["-p", "/boot/Image", "-i", "--json", "-d"],
    ["-S"], ["-S", "--json"], ["--check"], ["--check", "--json"], ["--last"], ["--last", "--json"],
    ["-u"], ["-u", "-p"], ["-e"], ["--print-ckr-size"],
  ]

  @Test(arguments: 0..<16 as Range<UInt64>)
  func `Whatever is damaged, each command answers, or refuses with a sentence`(seed: UInt64) throws
  {
    var generator = SeededGenerator(seed: 0xda00 + seed)
    let machine = try Self.machine(Int(seed))
    let paths = machine.files.keys.sorted()
    for command in Self.commands {
      for round in 0..<6 {
        let linux = machine.copy()
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          let path = try #require(paths.randomElement(using: &generator))
          Self.damage(&linux.files[path], using: &generator)
        }
        let status = Baton.run(command, system: linux)
        let said = linux.complaints
        let comment: Comment = "seed \(seed), round \(round), \(command): \(said)"
        #expect(said.isEmpty || said.hasPrefix("baton: "), comment)
        #expect(said.isEmpty || said.hasSuffix("\n"), comment)
        // The negative answers to questions are on standard output.
        let isQuestion = ["-S", "--check", "--last"].contains(command[0])
        if status != .success, !isQuestion {
          #expect(!said.isEmpty, comment)
          if command[0] == "-l" || command[0] == "-p" {
            #expect(linux.effects.isEmpty, comment)
          }
        }
      }
    }
  }

  /// Takes the file away, cuts it, makes it long, or changes some of its bytes.
  private static func damage(_ file: inout [UInt8]?, using generator: inout SeededGenerator) {
    guard var bytes = file, !bytes.isEmpty else { return }
    switch Int.random(in: 0..<8, using: &generator) {
    case 0:
      file = nil
      return
    case 1: bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator))
    case 2: bytes += bytes
    default:
      // The first bytes mean most in what is long.
      let end = Bool.random(using: &generator) ? min(200, bytes.count) : bytes.count
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = Int.random(in: 0..<end, using: &generator)
        bytes[place] =
          Bool.random(using: &generator)
          ? Array("0123456789abcdef-,:\n ".utf8).randomElement(using: &generator) ?? 0
          : UInt8.random(in: 0...255, using: &generator)
      }
    }
    file = bytes
  }
}
