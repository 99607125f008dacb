/// Where the running kernel has its pointers to what the slots hold. They stay where they are as long as
/// it runs, and finding them takes long: they are looked for once.
public final class ImagePointers {
  private var hasLooked = false
  private var normal: UInt64?
  private var crash: UInt64?

  public init() {}

  /// The virtual address of the pointer to what `slot` holds, nil where nothing tells.
  ///
  /// The symbols of all kernels have functions that read the pointers, but newer ones (7.2) have renamed
  /// one; those of CONFIG_KALLSYMS_ALL have the pointers.
  func address<System: LinuxSystem>(
    for slot: KexecSlot, in memory: KernelMemory<System>, _ system: System
  ) -> UInt64? {
    if !hasLooked {
      hasLooked = true
      // The first symbol tells at once where addresses are hidden.
      let names: [StaticString] = [
        "_text", "kexec_loaded_show", "kexec_crash_loaded", "kexec_image", "kexec_crash_image",
      ]
      system.findKernelSymbols(names) { index, address in
        switch index {
        case 1: normal = normal ?? memory.firstVariable(loadedAt: address)
        case 2: crash = crash ?? memory.firstVariable(loadedAt: address)
        case 3: normal = normal ?? address
        case 4: crash = crash ?? address
        default: break
        }
        return normal == nil || crash == nil
      }
    }
    return slot == .normal ? normal : crash
  }
}
