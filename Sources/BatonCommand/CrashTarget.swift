import BootFormats
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// Where a crash kernel goes, and what it is told of the kernel that died.
struct CrashTarget {
  /// The reservation that `kexec_load(2)` accepts destinations in: the highest.
  let region: PhysicalRange
  /// All reservations, `region` first: what the crash kernel may use.
  let usable: [PhysicalRange]
  /// The header of the dead kernel's memory.
  let coreHeader: [UInt64]
  /// Sentences about what the dump will lack.
  let warnings: [String]

  /// - Throws: `.noCrashRegion`, `.crashNotes`, `.tooMuchMemoryToDescribe`.
  init<System: LinuxSystem>(_ memory: SystemMemoryMap, _ system: System) throws(BatonError) {
    guard let region = memory.crashKernelReservations.last else { throw .noCrashRegion }
    self.region = region
    usable = memory.crashKernelReservations.reversed()

    var notes: [PhysicalRange]
    var warnings: [String] = []
    do throws(CrashNotesFailure) {
      notes = try system.crashNotes()
      if let info = try system.coreInfoNote() {
        notes.append(info)
      } else {
        warnings.append(
          "no /sys/kernel/vmcoreinfo: makedumpfile and crash will not understand the dump")
      }
    } catch {
      throw .crashNotes(error)
    }

    let addresses = KernelAddresses(system)
    var parts: [CoreHeader.Memory] = []
    if let image = memory.kernelImage, let start = addresses.image(at: image.start.rawValue) {
      parts.append(CoreHeader.Memory(image, virtualAddress: start))
    } else {
      warnings.append(
        "neither /proc/kcore nor /proc/kallsyms tells the running kernel's virtual address: gdb "
          + "will not find its symbols in the dump")
    }
    for range in memory.systemRAM.subtracting(memory.crashKernel).ranges {
      parts.append(
        CoreHeader.Memory(range, virtualAddress: addresses.linear(range.start.rawValue)))
    }
    let header = CoreHeader(notes: notes, memory: parts)
    guard header.count <= CoreHeader.maximumCount else {
      throw .tooMuchMemoryToDescribe(count: header.count)
    }
    coreHeader = header.words
    self.warnings = warnings
  }

  var coreHeaderSize: Int { coreHeader.count * 8 }

  /// What a kernel needs to run, beyond what is loaded, in bytes: enough for a distribution's, its
  /// initrd unpacked. What its drivers take differs from machine to machine.
  static var workingMemory: UInt64 { 128 << 20 }

  /// The `crashkernel=` for a load of so many bytes, in MiB.
  static func reservation(for needed: UInt64) -> UInt64 {
    let step: UInt64 = 64 << 20
    return (needed + workingMemory + step - 1) / step * (step >> 20)
  }
}

/// Where the running kernel has its memory mapped.
private struct KernelAddresses {
  /// A virtual address of the image less the physical one, modulo 2^64.
  private var imageOffset: UInt64?
  private var imageSymbols: [UInt64] = []
  /// Likewise, of the linear map.
  private var linearOffset: UInt64?

  init<System: LinuxSystem>(_ system: System) {
    if let info = CoreInfo(system) {
      imageOffset = info.number("kimage_voffset")
      // Since Linux 5.4 the linear map begins at the lowest of the kernel's addresses. Where
      // fewer bits are in use than were built in, PHYS_OFFSET makes up for it.
      if let bits = info.number("VA_BITS"), bits > 0, bits < 64,
        let start = info.number("PHYS_OFFSET"), Self.hasLowLinearMap(system)
      {
        linearOffset = (0 &- (1 << bits)) &- start
      }
    }
    guard imageOffset == nil else { return }
    system.findKernelSymbols(["_stext", "_text"]) { _, address in
      imageSymbols.append(address)
      return imageSymbols.count < 2
    }
  }

  /// The virtual address of the image's first byte in /proc/iomem.
  func image(at start: UInt64) -> UInt64? {
    if let imageOffset { return start &+ imageOffset }
    // That is _stext's or, before Linux 5.11, _text's. The image is mapped as it lies, but for
    // multiples of 2 MiB.
    for symbol in imageSymbols where (symbol &- start) & (2 << 20 - 1) == 0 { return symbol }
    return nil
  }

  func linear(_ address: UInt64) -> UInt64 {
    linearOffset.map { address &+ $0 } ?? 0
  }

  private static func hasLowLinearMap<System: LinuxSystem>(_ system: System) -> Bool {
    guard let release = KernelFlags.line("/proc/sys/kernel/osrelease", system) else { return false }
    return KernelFlags.isRelease(release, before: (5, 4)) == false
  }
}
