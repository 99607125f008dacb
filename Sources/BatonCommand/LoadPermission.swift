import LinuxHost

/// Whether the running kernel will let this process change what is loaded.
enum LoadPermission {
  /// Gives the kernel's own refusals of `kexec_load(2)` ahead of it: it refuses with a number that
  /// does not say why.
  ///
  /// Unloading is such a call, too: the kernel refuses it for the same reasons.
  ///
  /// - Parameter byFile: whether `kexec_file_load(2)` will do, which lockdown leaves.
  static func require<System: LinuxSystem>(
    byFile: Bool, _ system: System
  ) throws(BatonError) {
    if let first = obstacles(byFile: byFile, system).first { throw first }
  }

  /// All of them.
  static func obstacles<System: LinuxSystem>(byFile: Bool, _ system: System) -> [BatonError] {
    var result: [BatonError] = []
    if !KernelFlags.isThere(KernelFlags.normalSlot, system) { result.append(.noKexec) }
    if !system.isRoot { result.append(.notRoot) }
    if KernelFlags.isSet("/proc/sys/kernel/kexec_load_disabled", system) {
      result.append(.loadDisabled)
    }
    if KernelFlags.loadsLeft(.normal, system) == 0 {
      result.append(.loadsUsedUp("kexec_load_limit_reboot"))
    }
    if !byFile, KernelFlags.isLockedDown(system) { result.append(.lockedDown) }
    return result
  }
}
