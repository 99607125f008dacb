import PhysicalMemory

// What the boot program tells the kernel stands in /chosen (Devicetree Specification v0.4, 3.6;
// Linux Documentation/devicetree/usage-model.rst, and drivers/of/fdt.c for `linux,…`). The
// `linux,uefi-*` properties, which lead to the EFI memory map, hold for every kernel until the
// next reset and stay.

extension DeviceTree {
  /// What kexec, crash dumps and the live hand-over of memory left there for the running kernel
  /// alone: it points to memory that the next one is free to use.
  private static var staleProperties: InlineArray<10, StaticString> {
    [
      "linux,initrd-start",
      "linux,initrd-end",
      // A crash kernel's: the dead kernel's core, and the memory it may use.
      "linux,elfcorehdr",
      "linux,usable-memory-range",
      // The measurement list that kexec_file_load hands on.
      "linux,ima-kexec-buffer",
      // Kexec handover (Linux 6.16).
      "linux,kho-fdt",
      "linux,kho-scratch",
      // Spent: the running kernel has drawn on them.
      "kaslr-seed",
      "rng-seed",
      // How the running kernel was started.
      "baton,handoff-record",
    ]
  }

  private var chosen: NodeID? { child("chosen", of: root) }

  /// /chosen, made where it was not there.
  private mutating func chosenNode() -> NodeID {
    chosen ?? addNode("chosen", under: root)
  }

  /// The kernel's command line (`bootargs`) without its terminator, or nil where there is none.
  public var bootArguments: [UInt8]? {
    guard let chosen, let value = property("bootargs", of: chosen) else { return nil }
    return [UInt8](value.bytes.prefix { $0 != 0 })
  }

  /// Sets the kernel's command line: the bytes up to the first NUL.
  public mutating func setBootArguments(_ arguments: some Sequence<UInt8>) {
    var bytes = [UInt8](arguments.prefix { $0 != 0 })
    bytes.append(0)
    setProperty("bootargs", of: chosenNode(), to: PropertyValue(bytes: bytes))
  }

  /// Where the initial RAM disk lies (`linux,initrd-start`, `linux,initrd-end`: its first byte and
  /// the one after its last), or nil where there is none or the range makes no sense.
  public var initialRAMDisk: PhysicalRange? {
    guard let chosen,
      let start = property("linux,initrd-start", of: chosen)?.unsigned,
      let end = property("linux,initrd-end", of: chosen)?.unsigned
    else { return nil }
    return PhysicalRange(start: PhysicalAddress(start), end: PhysicalAddress(end))
  }

  /// Whether `linux,uefi-system-table` is there, with all that it leads to (Linux
  /// Documentation/arch/arm/uefi.rst).
  public var leadsToFirmware: Bool {
    guard let chosen = node(at: "/chosen") else { return false }
    return property("linux,uefi-system-table", of: chosen) != nil
  }

  /// Where UEFI's memory map lies (`linux,uefi-mmap-start`, `-size`): in memory that UEFI calls the boot
  /// loader's own, and does not keep.
  public var firmwareMemoryMap: PhysicalRange? {
    guard let chosen = node(at: "/chosen"),
      let start = property("linux,uefi-mmap-start", of: chosen)?.u64,
      let size = property("linux,uefi-mmap-size", of: chosen)?.u32, size > 0
    else { return nil }
    return PhysicalRange(start: PhysicalAddress(start), size: UInt64(size))
  }

  /// Says where the initial RAM disk lies, in two cells each, or that there is none.
  public mutating func setInitialRAMDisk(_ range: PhysicalRange?) {
    let chosen = chosenNode()
    guard let range else {
      removeProperty("linux,initrd-start", of: chosen)
      removeProperty("linux,initrd-end", of: chosen)
      return
    }
    setProperty("linux,initrd-start", of: chosen, to: PropertyValue(range.start.rawValue))
    setProperty("linux,initrd-end", of: chosen, to: PropertyValue(range.end.rawValue))
  }

  /// Gives the kernel fresh random bits: 64 for its own placement (`kaslr-seed`), and any number of
  /// bytes for its generator (`rng-seed`; kernels ask for 32 to 64).
  public mutating func setSeeds(kaslr: UInt64, random: some Sequence<UInt8>) {
    let chosen = chosenNode()
    setProperty("kaslr-seed", of: chosen, to: PropertyValue(kaslr))
    setProperty("rng-seed", of: chosen, to: PropertyValue(bytes: [UInt8](random)))
  }

  /// Reserves bytes for what runs between two kernels to leave its record in
  /// (`baton,handoff-record`), in the place of an older record.
  public mutating func setHandoffRecord(_ bytes: [UInt8]) {
    setProperty("baton,handoff-record", of: chosenNode(), to: PropertyValue(bytes: bytes))
  }

  /// Tells a kernel that comes up after a crash where the dead one's core header lies, and that it
  /// may use no other memory than `usable`; the first range is the one that kernels use which know
  /// of one only (before Linux 5.18). Both are in the root's cells.
  ///
  /// - Throws: where the cells cannot hold an address or a size.
  public mutating func setCrashKernel(
    coreHeader: PhysicalRange, usable: [PhysicalRange]
  ) throws(DeviceTreeContentError) {
    let counts = try cellCounts(of: root)
    func value(_ ranges: [PhysicalRange]) throws(DeviceTreeContentError) -> PropertyValue {
      var value = PropertyValue(bytes: [])
      for range in ranges {
        for (number, count, name) in [
          (range.start.rawValue, counts.address, "#address-cells"),
          (range.size, counts.size, "#size-cells"),
        ] {
          guard count == 2 || count == 1 && number >> 32 == 0 else {
            throw .malformedProperty(name, node: root)
          }
          value.append(number, cellCount: count)
        }
      }
      return value
    }
    let header = try value([coreHeader])
    let memory = try value(usable)
    let chosen = chosenNode()
    setProperty("linux,elfcorehdr", of: chosen, to: header)
    setProperty("linux,usable-memory-range", of: chosen, to: memory)
  }

  /// Removes from /chosen what is true of the running kernel only, and the reservations that boot
  /// programs and kernels make for what those properties point to.
  public mutating func removeStaleProperties() {
    guard let chosen else { return }
    var released: [PhysicalRange] = []
    if let range = initialRAMDisk { released.append(range) }
    for name in ["linux,elfcorehdr", "linux,ima-kexec-buffer"] {
      if let range = addressAndSize(name, of: chosen) { released.append(range) }
    }
    reservations.removeAll { reservation in
      // The very bytes, or the whole pages, of at most 64 KiB, that they lie in.
      for range in released where !range.isEmpty && reservation.start == range.start {
        return reservation.size >= range.size && reservation.size - range.size < 1 << 16
      }
      return false
    }
    let stale = Self.staleProperties
    for index in stale.indices {
      nodes[chosen.index].properties.removeAll { $0.name.isText(stale[index]) }
    }
  }

  /// The range that a property of /chosen gives in the root's cells, or nil where it gives none.
  private func addressAndSize(_ name: String, of chosen: NodeID) -> PhysicalRange? {
    guard let value = property(name, of: chosen), let counts = try? cellCounts(of: root),
      value.bytes.count == 4 * (counts.address + counts.size),
      let start = value.number(at: 0, cellCount: counts.address),
      let size = value.number(at: counts.address, cellCount: counts.size)
    else { return nil }
    return PhysicalRange(start: PhysicalAddress(start), size: size)
  }
}

extension [UInt8] {
  /// Whether the bytes are `text`'s.
  fileprivate func isText(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    for index in indices {
      // Sound: a static string's UTF-8 has `utf8CodeUnitCount` bytes and lives for ever.
      guard unsafe self[index] == text.utf8Start[index] else { return false }
    }
    return true
  }
}
