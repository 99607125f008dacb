import LinuxHost

/// `/var/lib/baton/last.json`: what `--exec` was about to start, and when, and what became of it once
/// `--last` has told that. It outlives the restart.
enum StartRecord {
  static let path = "/var/lib/baton/last.json"

  /// What became of a start. Once told it stays: later boots have no record of it in their trees.
  enum Outcome: String {
    case arrived
    case didNotArrive
  }

  /// Notes that what `loaded` describes is about to be started. Where something else loaded the
  /// slot, an older note would mislead, and goes.
  static func write<System: LinuxSystem>(
    loaded: JSONRecord?, _ system: System
  ) throws(Errno) {
    guard let plan = loaded?.string("planDigest") else {
      do throws(Errno) { try system.remove(path) } catch {
        if error != .noSuchFile { throw error }
      }
      return
    }
    let text = JSONText.object { json in
      json.member("planDigest", plan)
      json.member("bootId", KernelFlags.bootID(system))
      json.member("counter", JSONText.hexadecimal(system.counter))
      json.member("time", system.time)
    }
    try system.replace(path, with: Array(text.utf8))
  }

  /// Notes what became of `start`, where that can be known: not in the boot that it was noted in.
  static func note<System: LinuxSystem>(
    _ outcome: Outcome, of start: JSONRecord, _ system: System
  ) throws(Errno) {
    guard let boot = KernelFlags.bootID(system), start.string("bootId") != boot else { return }
    let text = JSONText.object { json in
      for key in ["planDigest", "bootId", "counter"] as [StaticString] {
        json.member(key, start.string(key))
      }
      json.member("outcome", outcome.rawValue)
      json.member("outcomeBootId", boot)
    }
    try system.replace(path, with: Array(text.utf8))
  }
}
