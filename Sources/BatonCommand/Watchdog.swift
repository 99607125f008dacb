import LinuxHost

/// A watchdog timer that is running. Where it goes on through a handoff the next kernel has to take it
/// over before its time is up, or the machine resets.
struct Watchdog {
  /// What the running kernel does with it when it restarts, by kexec too.
  enum AtRestart {
    case goesOn
    /// Where its driver can stop it; the kernel shows nobody whether it can.
    case stopsIfItCan
    /// The driver says, and shows nobody. Most stop it.
    case driverDecides
  }

  let name: String
  /// In seconds, where the driver tells.
  let timeLeft: UInt64?
  let timeout: UInt64?
  let atRestart: AtRestart

  /// Those of /sys/class/watchdog that are active (Linux
  /// Documentation/ABI/testing/sysfs-class-watchdog).
  static func running<System: LinuxSystem>(_ system: System) -> [Watchdog] {
    var result: [Watchdog] = []
    // Linux 5.7 (watchdog-parameters.rst); -1 where nobody has set it.
    let atRestart: AtRestart =
      switch KernelFlags.line("/sys/module/watchdog/parameters/stop_on_reboot", system) {
      case "0": .goesOn
      case "1": .stopsIfItCan
      default: .driverDecides
      }
    // The kernel numbers them, and has at most so many (MAX_DOGS).
    for number in 0..<32 {
      let name = "watchdog" + String(number)
      let folder = "/sys/class/watchdog/" + name + "/"
      guard KernelFlags.line(folder + "state", system) == "active" else { continue }
      func seconds(_ file: String) -> UInt64? {
        KernelFlags.line(folder + file, system).flatMap { UInt64($0) }
      }
      let timeout = seconds("timeout")
      // QEMU's SBSA watchdog underflows in the second half of its time.
      let timeLeft = seconds("timeleft").flatMap { $0 > timeout ?? .max ? nil : $0 }
      result.append(
        Watchdog(name: name, timeLeft: timeLeft, timeout: timeout, atRestart: atRestart))
    }
    return result
  }

  var sentence: String {
    var text = name + " is running"
    if atRestart == .goesOn { text += " and goes on through the handoff" }
    switch (timeLeft, timeout) {
    case (let left?, let timeout?):
      text += ": " + String(left) + " of " + String(timeout) + " s are left"
    case (let left?, nil): text += ": " + String(left) + " s are left"
    case (nil, let timeout?): text += ", with a timeout of " + String(timeout) + " s"
    case (nil, nil): break
    }
    switch atRestart {
    case .goesOn: break
    case .stopsIfItCan:
      text +=
        "; this kernel stops it at the handoff if its driver can (watchdog.stop_on_reboot=1)"
    case .driverDecides:
      text +=
        "; its driver may stop it at the handoff: boot with watchdog.stop_on_reboot=0, and it goes on"
    }
    return text
  }
}
