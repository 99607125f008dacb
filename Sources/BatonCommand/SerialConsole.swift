import HardwareDescription
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// A console by its name in Linux, such as ttyAMA0: the kernel tells in
/// /sys/class/tty/NAME/ where its registers are and of what kind they are (serial_core.h).
enum SerialConsole {
  /// nil where there is none of that name, or none that the stage can drive.
  static func named<System: LinuxSystem>(
    _ name: String, _ system: System
  ) -> ConsoleSpecification? {
    guard !name.utf8.contains(UInt8(ascii: "/")) else { return nil }
    func attribute(_ file: String) -> UInt64? {
      KernelFlags.line(path(name, file), system).flatMap { number($0) }
    }
    // kexec-tools takes any name, and writes to an address of 0.
    guard let base = attribute("iomem_base"), base > 0, let type = attribute("type") else {
      return nil
    }
    var words = ",0x" + String(base, radix: 16)
    switch type {
    case Self.pl011:
      words = "pl011" + words
    case Self.ns8250...Self.ns16550A, Self.ns16750, Self.designWare:
      guard let shift = attribute("iomem_reg_shift"), let access = attribute("io_type") else {
        return nil
      }
      let width: Int
      switch access {
      case 2: width = 1  // UPIO_MEM
      case 3: width = 4  // UPIO_MEM32
      case 7: width = 2  // UPIO_MEM16
      default: return nil
      }
      words = "8250" + words + "," + String(shift) + "," + String(width)
    default: return nil
    }
    return ConsoleSpecification(parsing: words.utf8)
  }

  /// Whether the kernel writes its messages to the port whose registers begin at `base`, or nil where
  /// that cannot be told. One that is nobody's console and that nothing has open is switched off, its
  /// clock, too, where the kernel rules over that.
  ///
  /// ```
  /// ttyAMA0              -W- (EC p a  )  204:64
  /// ```
  static func isInUse<System: LinuxSystem>(
    at base: PhysicalAddress, _ system: System
  ) -> Bool? {
    do throws(Errno) {
      let consoles = try system.read("/proc/consoles")
      for line in consoles.split(separator: UInt8(ascii: "\n")) {
        let name = String(decoding: line.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
        do throws(Errno) {
          let text = KernelFlags.firstLine(of: try system.read(path(name, "iomem_base")))
          if number(text) == base.rawValue { return true }
        } catch {
          // A virtual terminal has none. Others than root may not read it.
          guard error == .noSuchFile else { return nil }
        }
      }
      return false
    } catch {
      return nil
    }
  }

  private static func path(_ name: String, _ file: String) -> String {
    "/sys/class/tty/" + name + "/" + file
  }

  /// A number as the kernel writes it there: decimal, or hexadecimal behind 0x.
  private static func number(_ text: String) -> UInt64? {
    let isHexadecimal = text.utf8.starts(with: "0x".utf8)
    return UInt64(
      isHexadecimal ? String(text.dropFirst(2)) : text, radix: isHexadecimal ? 16 : 10)
  }

  // PORT_… of linux/serial_core.h and linux/serial.h.
  private static let ns8250: UInt64 = 1
  private static let ns16550A: UInt64 = 4
  private static let ns16750: UInt64 = 7
  private static let designWare: UInt64 = 14
  private static let pl011: UInt64 = 32
}
