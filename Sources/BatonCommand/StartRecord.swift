import LinuxHost

/// `/var/lib/baton/last.json`: what `--exec` was about to start, and when. It outlives the restart.
enum StartRecord {
  static let path = "/var/lib/baton/last.json"

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
}
