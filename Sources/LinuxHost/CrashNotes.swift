import PhysicalMemory

/// What of the kernel's crash notes cannot be had.
public enum CrashNotesFailure: Error, Hashable, Sendable {
  /// No CPU has any: the kernel was built without crash dumps (CONFIG_CRASH_DUMP).
  case absent
  /// The file at this path is not of the form that it should have.
  case malformed(String)
}

extension LinuxSystem {
  /// Where each CPU will leave its registers when the kernel crashes, in ELF's notes (Linux
  /// Documentation/ABI/testing/sysfs-devices-system-cpu, `crash_notes`). CPUs that may exist but
  /// do not have none.
  public func crashNotes() throws(CrashNotesFailure) -> [PhysicalRange] {
    guard let cpus = cpus("possible") else { throw .malformed("/sys/devices/system/cpu/possible") }
    var notes: [PhysicalRange] = []
    for cpu in cpus {
      let path = "/sys/devices/system/cpu/cpu" + String(cpu) + "/crash_notes"
      // Hexadecimal without 0x; the size, where kernels before 3.8 have none, decimal.
      guard isThere(path) else { continue }
      guard let start = firstLine(of: path)?.number(radix: 16), start > 0 else {
        throw .malformed(path)
      }
      guard let size = firstLine(of: path + "_size")?.number(radix: 10),
        let note = PhysicalRange(start: PhysicalAddress(start), size: size), size > 0,
        size <= 1 << 20
      else { throw .malformed(path + "_size") }
      notes.append(note)
    }
    guard !notes.isEmpty else { throw .absent }
    return notes
  }

  /// Where the kernel's vmcoreinfo lies, a note in ELF's form, or nil where it has none (Linux
  /// Documentation/admin-guide/kdump/vmcoreinfo.rst).
  public func coreInfoNote() throws(CrashNotesFailure) -> PhysicalRange? {
    let path = "/sys/kernel/vmcoreinfo"
    guard isThere(path) else { return nil }
    let words = firstLine(of: path)?.words ?? []
    // Two hexadecimal numbers, with 0x or without.
    guard words.count == 2, let start = words[0].hexadecimal, start > 0,
      let size = words[1].hexadecimal, size > 0, size <= 1 << 20,
      let note = PhysicalRange(start: PhysicalAddress(start), size: size)
    else { throw .malformed(path) }
    return note
  }

  private func isThere(_ path: String) -> Bool {
    do throws(Errno) { _ = try read(path) } catch { return false }
    return true
  }
}

extension ArraySlice<UInt8> {
  /// The number that these hexadecimal digits are, with 0x or without.
  var hexadecimal: UInt64? {
    (starts(with: "0x".utf8) ? dropFirst(2) : self).number(radix: 16)
  }
}
