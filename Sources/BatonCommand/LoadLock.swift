import LinuxHost

/// What keeps two commands from changing the slots and their records at the same time.
enum LoadLock {
  static let path = "/run/baton/lock"

  /// In milliseconds: how long a command waits for another that waits at all, and between two attempts.
  private static var patience: UInt64 { 30_000 }
  private static var interval: UInt64 { 250 }

  /// Takes the lock until this process ends. `-e` waits for who has it, and so does everything in
  /// kexec-tools' place, whose callers expect no other hindrance than the kernel's.
  ///
  /// - Throws: `.anotherBaton`. Where there is no place for the file, nobody is kept out.
  static func take<System: LinuxSystem>(
    for invocation: Invocation, _ system: System
  ) throws(BatonError) {
    let waits = invocation.caller == .kexec || invocation.action == .execute
    var left = waits ? patience : 0
    while true {
      do throws(Errno) { return try system.lock(path) } catch {
        guard error == .wouldBlock else { return }
        guard left > 0 else { throw .anotherBaton }
      }
      if left == patience {
        invocation.caller.say("another baton changes what is loaded; waiting for it", system)
      }
      system.sleep(milliseconds: interval)
      left -= interval
    }
  }
}
