extension LinuxSystem {
  /// CPU 0's MIDR_EL1, or nil where the kernel does not show it.
  public var mainIDRegister: UInt64? {
    let path = "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1"
    guard let line = firstLine(of: path), line.starts(with: "0x".utf8) else { return nil }
    return line.dropFirst(2).number(radix: 16)
  }

  /// How many CPUs are online, or nil where the kernel does not say.
  public var onlineCPUCount: Int? { onlineCPUs?.count }

  /// How many CPUs this kernel may ever have, or nil where it does not say.
  public var possibleCPUCount: Int? { cpus("possible")?.count }

  /// The affinity (MPIDR_EL1.Aff0 to Aff3) of the CPUs that are online, in the kernel's own order,
  /// as far as the device tree gives them: `reg` of their nodes (Linux
  /// Documentation/devicetree/bindings/arm/cpus.yaml). Empty where it has none, as with ACPI.
  ///
  /// - Parameter limit: no more than so many.
  public func onlineCPUAffinities(limit: Int) -> [UInt64] {
    var affinities: [UInt64] = []
    for cpu in onlineCPUs ?? [] where affinities.count < limit {
      let reg: [UInt8]
      do throws(Errno) {
        reg = try read("/sys/devices/system/cpu/cpu" + String(cpu) + "/of_node/reg")
      } catch {
        continue
      }
      // One cell or two, by the parent's #address-cells.
      guard reg.count == 4 || reg.count == 8 else { continue }
      var affinity: UInt64 = 0
      for byte in reg { affinity = affinity << 8 | UInt64(byte) }
      if affinity & ~0xFF_00FF_FFFF == 0 { affinities.append(affinity) }
    }
    return affinities
  }

  private var onlineCPUs: [UInt64]? { cpus("online") }

  /// The numbers of the CPUs that are `online` or `possible`. The file is a list of numbers and
  /// ranges: `0-3,5`.
  func cpus(_ file: String) -> [UInt64]? {
    guard let line = firstLine(of: "/sys/devices/system/cpu/" + file) else { return nil }
    var cpus: [UInt64] = []
    for part in line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let ends = part.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
      // More CPUs than any kernel has: the list stays small.
      guard let first = ends.first?.number(radix: 10), let last = ends.last?.number(radix: 10),
        ends.count <= 2, first <= last, last < 1 << 16
      else { return nil }
      cpus += first...last
    }
    return cpus
  }

  func firstLine(of path: String) -> ArraySlice<UInt8>? {
    do throws(Errno) {
      var lines = TextLines(try read(path))
      return lines.next()
    } catch {
      return nil
    }
  }
}
