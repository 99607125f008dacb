import PhysicalMemory

/// What a slot of `kexec_load(2)` holds, as the kernel's own memory says.
public struct LoadedImage: Hashable, Sendable {
  /// Where its segments are to lie, in the order in which they were given.
  public let destinations: [PhysicalRange]
}

extension LinuxSystem {
  /// What a slot that is loaded holds, or nil where the kernel does not show it: it takes root,
  /// addresses in /proc/kallsyms and a /proc/kcore.
  ///
  /// The symbols of all kernels have functions that read the variables that point to the images, but
  /// newer ones (7.2) have renamed one; those of CONFIG_KALLSYMS_ALL have the variables. What they
  /// point to is (Linux include/linux/kexec.h, `struct kimage`, since 4.13), in 64-bit words:
  ///
  ///     0  head, entry, last_entry   3  start   4  control_code_page, swap_page, vmcoreinfo_data_copy
  ///     7  nr_segments               8  16 segments: buf, bufsz, mem, memsz
  public func loadedImage(in slot: KexecSlot) -> LoadedImage? {
    let reader: StaticString = slot == .normal ? "kexec_loaded_show" : "kexec_crash_loaded"
    let name: StaticString = slot == .normal ? "kexec_image" : "kexec_crash_image"
    guard let memory = KernelMemory(self),
      let variable = kernelAddress(of: reader).flatMap({ memory.firstVariable(loadedAt: $0) })
        ?? kernelAddress(of: name),
      let image = memory.words(at: variable, count: 1)?[0],
      let fields = memory.words(at: image, count: 8 + 4 * 16)
    else { return nil }
    guard (1...16).contains(fields[7]) else { return nil }
    var destinations: [PhysicalRange] = []
    for index in 0..<Int(fields[7]) {
      let (start, size) = (fields[8 + 4 * index + 2], fields[8 + 4 * index + 3])
      // As the kernel takes no others, this is no image.
      guard size > 0, (start | size) % pageSize == 0,
        let range = PhysicalRange(start: PhysicalAddress(start), size: size)
      else { return nil }
      destinations.append(range)
    }
    return LoadedImage(destinations: destinations)
  }
}
