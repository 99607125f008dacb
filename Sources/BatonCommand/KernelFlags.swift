import LinuxHost

/// Small answers that the running kernel gives in /proc and /sys.
enum KernelFlags {
  /// Says whether the normal slot holds something; every kernel with kexec has it.
  static let normalSlot = "/sys/kernel/kexec_loaded"

  static func isThere<System: LinuxSystem>(_ path: String, _ system: System) -> Bool {
    content(path, system) != nil
  }

  /// Whether the file says 1.
  static func isSet<System: LinuxSystem>(_ path: String, _ system: System) -> Bool {
    content(path, system)?.first == UInt8(ascii: "1")
  }

  /// Whether lockdown is in force: `none [integrity] confidentiality` marks the mode.
  static func isLockedDown<System: LinuxSystem>(_ system: System) -> Bool {
    let mode = lockdownMode(system)
    return mode != nil && mode != "none"
  }

  /// The mode that is marked, nil where the kernel has no lockdown.
  static func lockdownMode<System: LinuxSystem>(_ system: System) -> String? {
    guard let modes = content("/sys/kernel/security/lockdown", system),
      let mark = modes.firstIndex(of: UInt8(ascii: "["))
    else { return nil }
    return String(
      decoding: modes[(mark + 1)...].prefix { $0 != UInt8(ascii: "]") }, as: UTF8.self)
  }

  /// Which slots hold something.
  static func isLoaded<System: LinuxSystem>(_ slot: KexecSlot, _ system: System) -> Bool {
    switch slot {
    case .normal: isSet(normalSlot, system)
    case .crash: isSet("/sys/kernel/kexec_crash_loaded", system)
    }
  }

  /// How many more calls of kexec_load(2) the kernel takes for a slot in this boot, unloading
  /// included (6.3 and later: `kexec_load_limit_reboot`, `_panic`); nil where it sets no limit.
  static func loadsLeft<System: LinuxSystem>(_ slot: KexecSlot, _ system: System) -> UInt64? {
    let name = slot == .normal ? "reboot" : "panic"
    // -1 is no limit, and no number here.
    return line("/proc/sys/kernel/kexec_load_limit_" + name, system).flatMap { UInt64($0) }
  }

  /// Whether a kernel's release ("6.1.0-50-cloud-arm64") comes before `version`; nil where it is no
  /// release.
  static func isRelease(_ release: String, before version: (Int, Int)) -> Bool? {
    let parts = release.utf8.split(separator: UInt8(ascii: "."), maxSplits: 2)
    guard parts.count >= 2 else { return nil }
    func number(_ digits: Substring.UTF8View) -> Int? {
      Int(String(decoding: digits.prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
    }
    guard let major = number(parts[0]), let minor = number(parts[1]) else { return nil }
    return (major, minor) < version
  }

  /// What tells this boot from every other.
  static func bootID<System: LinuxSystem>(_ system: System) -> String? {
    line("/proc/sys/kernel/random/boot_id", system)
  }

  /// The file's first line.
  static func line<System: LinuxSystem>(_ path: String, _ system: System) -> String? {
    content(path, system).map(firstLine)
  }

  static func firstLine(of content: [UInt8]) -> String {
    String(decoding: content.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  private static func content<System: LinuxSystem>(_ path: String, _ system: System) -> [UInt8]? {
    do throws(Errno) { return try system.read(path) } catch { return nil }
  }
}
