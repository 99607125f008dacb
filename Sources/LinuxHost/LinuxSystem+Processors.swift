extension LinuxSystem {
  /// CPU 0's MIDR_EL1, or nil where the kernel does not show it.
  public var mainIDRegister: UInt64? {
    let path = "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1"
    guard let line = firstLine(of: path), line.starts(with: "0x".utf8) else { return nil }
    return line.dropFirst(2).number(radix: 16)
  }

  /// How many CPUs are online, or nil where the kernel does not say. The file is a list of numbers
  /// and ranges: `0-3,5`.
  public var onlineCPUCount: Int? {
    guard let line = firstLine(of: "/sys/devices/system/cpu/online") else { return nil }
    var count: UInt64 = 0
    for part in line.split(separator: UInt8(ascii: ",")) {
      let ends = part.split(separator: UInt8(ascii: "-"))
      // As many CPUs as no kernel has: the sum stays small.
      guard let first = ends.first?.number(radix: 10), let last = ends.last?.number(radix: 10),
        ends.count <= 2, first <= last, last < 1 << 20
      else { return nil }
      count += last - first + 1
    }
    return Int(exactly: count)
  }

  private func firstLine(of path: String) -> ArraySlice<UInt8>? {
    do throws(Errno) {
      var lines = TextLines(try read(path))
      return lines.next()
    } catch {
      return nil
    }
  }
}
