import LinuxHost

/// A watchdog timer that is running. It goes on through a handoff: the next kernel has to take it
/// over before its time is up, or the machine resets.
struct Watchdog {
  let name: String
  /// In seconds, where the driver tells.
  let timeLeft: UInt64?
  let timeout: UInt64?

  /// Those of /sys/class/watchdog that are active (Linux
  /// Documentation/ABI/testing/sysfs-class-watchdog).
  static func running<System: LinuxSystem>(_ system: System) -> [Watchdog] {
    var result: [Watchdog] = []
    // The kernel numbers them, and has at most so many (MAX_DOGS).
    for number in 0..<32 {
      let name = "watchdog" + String(number)
      let folder = "/sys/class/watchdog/" + name + "/"
      guard KernelFlags.line(folder + "state", system) == "active" else { continue }
      func seconds(_ file: String) -> UInt64? {
        KernelFlags.line(folder + file, system).flatMap { UInt64($0) }
      }
      result.append(
        Watchdog(name: name, timeLeft: seconds("timeleft"), timeout: seconds("timeout")))
    }
    return result
  }

  var sentence: String {
    var text = name + " is running and goes on through the handoff"
    switch (timeLeft, timeout) {
    case (let left?, let timeout?):
      text += ": " + String(left) + " of " + String(timeout) + " s are left"
    case (let left?, nil): text += ": " + String(left) + " s are left"
    case (nil, let timeout?): text += ", with a timeout of " + String(timeout) + " s"
    case (nil, nil): break
    }
    return text
  }
}
