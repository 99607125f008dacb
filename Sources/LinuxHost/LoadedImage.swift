import PhysicalMemory

/// What a slot of `kexec_load(2)` holds, as the kernel's own memory says.
public struct LoadedImage: Hashable, Sendable {
  public struct Segment: Hashable, Sendable {
    /// Where it is to lie.
    public let destination: PhysicalRange
    /// In bytes: its content; what that does not fill is zero.
    public let size: UInt64
  }

  /// In the order in which they were given.
  public let segments: [Segment]
}

extension LinuxSystem {
  /// What a slot that is loaded holds, or nil where the kernel does not show it: it takes root,
  /// addresses in /proc/kallsyms and a /proc/kcore.
  ///
  /// What the kernel's pointers point to is (Linux include/linux/kexec.h, `struct kimage`, since 4.13),
  /// in 64-bit words:
  ///
  ///     0  head, entry, last_entry   3  start   4  control_code_page, swap_page, vmcoreinfo_data_copy
  ///     7  nr_segments               8  16 segments: buf, bufsz, mem, memsz
  public func loadedImage(in slot: KexecSlot) -> LoadedImage? {
    guard let memory = KernelMemory(self),
      let variable = imagePointers.address(for: slot, in: memory, self),
      let image = memory.words(at: variable, count: 1)?[0],
      let fields = memory.words(at: image, count: 8 + 4 * 16)
    else { return nil }
    guard (1...16).contains(fields[7]) else { return nil }
    var segments: [LoadedImage.Segment] = []
    for index in 0..<Int(fields[7]) {
      let (start, size) = (fields[8 + 4 * index + 2], fields[8 + 4 * index + 3])
      let contentSize = fields[8 + 4 * index + 1]
      // As the kernel takes no others, this is no image.
      guard size > 0, (start | size) % pageSize == 0, contentSize <= size,
        let range = PhysicalRange(start: PhysicalAddress(start), size: size)
      else { return nil }
      segments.append(LoadedImage.Segment(destination: range, size: contentSize))
    }
    return LoadedImage(segments: segments)
  }
}
