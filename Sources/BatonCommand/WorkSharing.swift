import KexecRelocation
import LinuxHost

/// How many CPUs share the stage's work.
enum WorkSharing {
  /// In bytes to be moved and verified: for less, another CPU is not switched on.
  ///
  /// It follows from the firmware: CPU_ON, CPU_OFF and the question whether a CPU is off are
  /// expected to take a fraction of a millisecond on hardware, where this much takes two to four
  /// milliseconds to verify, at one or two bytes a nanosecond. Nobody has measured that yet. In guest
  /// instructions it would be worth it far earlier: a CPU's way on and off takes about a thousand,
  /// this much of the work 6.4 million.
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
