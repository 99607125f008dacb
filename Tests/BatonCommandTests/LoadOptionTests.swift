import BootFormats
import HardwareDescription
import KexecRelocation
import LinuxHost
import PhysicalMemory
import Testing

@testable import BatonCommand

/// Options of a load that kexec-tools has, too, and honours less well.
@Suite struct LoadOptionTests {
  private static func tty(_ attributes: [String: String]) throws -> FakeLinux {
    let linux = try FakeLinux.machine()
    for (name, text) in attributes {
      linux.files["/sys/class/tty/ttyX0/" + name] = Array((text + "\n").utf8)
    }
    return linux
  }

  @Test func `--serial finds a PL011 by its name`() throws {
    let linux = try Self.tty(["iomem_base": "0x9000000", "type": "32"])
    #expect(
      SerialConsole.named("ttyX0", linux)?.console == .pl011(PhysicalAddress(0x900_0000)))
  }

  @Test(arguments: [("2", "0", Lifeline.Console.AccessWidth.byte, 0), ("3", "2", .word, 2)])
  func `--serial finds an 8250 with the spacing and width of its registers`(
    access: String, shift: String, width: Lifeline.Console.AccessWidth, expected: Int
  ) throws {
    let linux = try Self.tty([
      "iomem_base": "0x3F215040", "type": "4", "io_type": access, "iomem_reg_shift": shift,
    ])
    #expect(
      SerialConsole.named("ttyX0", linux)?.console
        == .ns16550(PhysicalAddress(0x3F21_5040), shift: expected, width: width))
  }

  @Test(arguments: [
    [:], ["iomem_base": "0x0", "type": "32"], ["iomem_base": "0x9000000"],
    ["iomem_base": "0x9000000", "type": "77"],
    ["iomem_base": "0x9000000", "type": "4", "io_type": "0", "iomem_reg_shift": "0"],
  ])
  func `--serial refuses a name behind which is no UART that the stage drives`(
    attributes: [String: String]
  ) throws {
    let linux = try Self.tty(attributes)
    #expect(
      Baton.run(["-l", "/boot/Image", "--serial=ttyX0"], system: linux) == .badFile)
    #expect(linux.complaints.contains("/sys/class/tty/ttyX0 is no console"))
    #expect(linux.effects.isEmpty)
  }

  @Test func `The console that --serial names is the stage's`() throws {
    let linux = try Self.tty(["iomem_base": "0x9040000", "type": "32"])
    #expect(
      Baton.run(["-l", "/boot/Image", "--serial=ttyX0", "--dry-run"], system: linux) == .success)
    #expect(linux.output.contains("console pl011 at 0x000009040000"))
  }

  @Test(arguments: [
    // What the stage was told to write to.
    ("ttyX0                -W- (EC p a  )  204:64\n", [], false),
    (
      "tty0                 -WU (EC  p  )    4:1\nttyX0                -W- (E  p a  )  204:64\n",
      [], false
    ),
    // Nothing does, and another port.
    ("", [], true), ("tty0                 -WU (EC  p  )    4:1\n", [], true),
    ("ttyX1                -W- (EC p a  )  204:65\n", [], true),
    // What the stage will not write to needs no clock.
    ("", ["--console=none"], false),
    // Nobody can tell.
    (nil, [], false), ("ttyX2                -W- (EC p a  )  204:66\n", [], false),
  ])
  func `A port that is nobody's console gets a warning: its clock may be off`(
    consoles: String?, options: [String], warns: Bool
  ) throws {
    let linux = try Self.tty(["iomem_base": "0x9040000", "type": "32"])
    linux.files["/proc/consoles"] = consoles.map { Array($0.utf8) }
    linux.files["/sys/class/tty/ttyX1/iomem_base"] = Array("0x9000000\n".utf8)
    linux.fileFailures["/sys/class/tty/ttyX2/iomem_base"] = .permissionDenied
    let options = options.isEmpty ? ["--serial=ttyX0"] : options
    #expect(
      Baton.run(["-l", "/boot/Image", "--dry-run"] + options, system: linux) == .success)
    #expect(
      linux.complaints
        == (warns
          ? "baton: warning: this kernel has no console at 0x000009040000: where it has switched "
            + "that port's clock off, the stage can stand still at it for ever; --console names "
            + "another, or none\n" : ""))
  }

  /// As a kernel before 4.19 has it: of what firmware left in memory nothing is reserved.
  @Test func `UEFI's memory map stays, where the kernel does not say so, too`() throws {
    let plain = try FakeLinux.machine()
    var iomem = String(decoding: try #require(plain.files["/proc/iomem"]), as: UTF8.self)
    iomem = iomem.split(separator: "\n").filter { !$0.hasSuffix(": reserved") }
      .joined(separator: "\n")
    plain.files["/proc/iomem"] = Array((iomem + "\n").utf8)
    func segments(_ linux: FakeLinux) throws -> [ClosedRange<UInt64>] {
      #expect(Baton.run(["-l", "/boot/Image", "--initrd=/boot/initrd"], system: linux) == .success)
      guard case .kexecLoad(_, _, let segments) = try #require(linux.effects.first) else {
        Issue.record("\(linux.effects.count) effects")
        return []
      }
      return segments.map { $0.destination...($0.destination + UInt64($0.memorySize) - 1) }
    }
    let free = try segments(plain)
    #expect(plain.complaints == "")
    // Where the last of them would lie.
    let map = try #require(free.map(\.upperBound).max()) - 0x900
    let linux = try FakeLinux.machine()
    linux.files["/proc/iomem"] = plain.files["/proc/iomem"]
    var tree = FakeLinux.tree()
    let chosen = try #require(tree.node(at: "/chosen"))
    tree.setProperty("linux,uefi-system-table", of: chosen, to: .init(0xbfff_0018 as UInt64))
    tree.setProperty("linux,uefi-mmap-start", of: chosen, to: .init(map))
    tree.setProperty("linux,uefi-mmap-size", of: chosen, to: .init(0x900 as UInt32))
    linux.files["/sys/firmware/fdt"] = try tree.serialized()
    for segment in try segments(linux) { #expect(!segment.overlaps(map...(map + 0x8ff))) }
    #expect(linux.complaints.contains("does not say in /proc/iomem what UEFI's tables take"))
  }

  @Test func `--type refuses what the file is not`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(["-l", "/boot/Image", "-t", "Image"], system: linux) == .success)
    #expect(Baton.run(["-l", "/boot/Image", "-t", "vmlinuz"], system: linux) == .badFile)
    #expect(linux.complaints == "baton: /boot/Image is not of the type vmlinuz\n")
  }

  @Test func `--reuseinitrd loads what the kernel has kept, or says that it has not`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(["-l", "/boot/Image", "--reuseinitrd"], system: linux) == .badFile)
    #expect(linux.complaints.contains("retain_initrd"))
    let byFile = try FakeLinux.machine()
    #expect(Baton.run(["-s", "-l", "/boot/Image", "--reuseinitrd"], system: byFile) == .badFile)
    #expect(byFile.complaints.contains("retain_initrd"))
    #expect(linux.effects.isEmpty && byFile.effects.isEmpty)
    linux.files["/sys/firmware/initrd"] = [UInt8](repeating: 0x37, count: 5000)
    #expect(Baton.run(["-l", "/boot/Image", "--reuseinitrd"], system: linux) == .success)
    guard case .kexecLoad(_, _, let segments)? = linux.effects.last else {
      Issue.record("nothing was loaded")
      return
    }
    #expect(segments.contains { $0.bytes == [UInt8](repeating: 0x37, count: 5000) })
  }

  @Test(arguments: [("010", UInt64(8)), ("0x10", 16), ("10", 10), ("0", 0)])
  func `Addresses are read as C reads them`(text: String, value: UInt64) throws {
    let invocation = try Invocation(parsing: ["-l", "I", "--mem-min=" + text])
    #expect(invocation.memoryMinimum == value)
  }
}
