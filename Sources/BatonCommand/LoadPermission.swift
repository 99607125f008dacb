import LinuxHost

/// Whether the running kernel will let this process change what is loaded.
enum LoadPermission {
  /// Gives the kernel's own refusals of `kexec_load(2)` ahead of it: it refuses with a number that
  /// does not say why.
  ///
  /// Unloading is such a call, too: the kernel refuses it for the same reasons.
  static func require<System: LinuxSystem>(_ system: System) throws(BatonError) {
    guard KernelFlags.isThere(KernelFlags.normalSlot, system) else { throw .noKexec }
    guard system.isRoot else { throw .notRoot }
    if KernelFlags.isSet("/proc/sys/kernel/kexec_load_disabled", system) { throw .loadDisabled }
    if KernelFlags.isLockedDown(system) { throw .lockedDown }
  }
}
