import KexecRelocation
import LinuxHost

/// How many CPUs share the stage's work.
enum WorkSharing {
  /// In bytes to be moved and verified: for less, another CPU is not switched on.
  ///
  /// A CPU costs the one that starts it two calls to the firmware, and its caches and translations
  /// begin empty: on machines where that was published, CPU_ON and CPU_OFF take some hundred
  /// microseconds together. Verifying this much takes milliseconds, at one or two bytes a
  /// nanosecond. Under emulation, where calls cost next to nothing, a CPU takes about ten thousand
  /// instructions, and this much of the work more than six million.
  static var worthwhileShare: UInt64 { 4 << 20 }

  /// The CPUs that share the work, by their affinity; none where the stage works alone.
  ///
  /// - Parameters:
  ///   - limit: `--cpus`.
  ///   - work: bytes to be moved and verified.
  static func processors<System: LinuxSystem>(
    limit: Int, work: UInt64, on machine: Machine, _ system: System
  ) -> [UInt64] {
    guard machine.lifeline.conduit != .none else { return [] }
    let worthwhile = Int(min(work / worthwhileShare, UInt64(ProcessorStacks.maximumCount)))
    let affinities = system.onlineCPUAffinities(limit: min(worthwhile, limit))
    return affinities.count > 1 ? affinities : []
  }
}
