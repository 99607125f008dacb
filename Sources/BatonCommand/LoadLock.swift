import LinuxHost

/// What keeps two commands from changing the slots and their records at the same time.
enum LoadLock {
  static let path = "/run/baton/lock"

  /// Takes the lock until this process ends.
  ///
  /// - Throws: `.anotherBaton`. Where there is no place for the file, nobody is kept out.
  static func take<System: LinuxSystem>(_ system: System) throws(BatonError) {
    do throws(Errno) { try system.lock(path) } catch {
      if error == .wouldBlock { throw .anotherBaton }
    }
  }
}
