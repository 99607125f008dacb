import LinuxHost

/// kexec-tools' exit statuses: 0, 1 where it gives up before it loads, and -1 or -3, of which a
/// process's status is the last byte.
enum KexecStatus {
  private static let failed: Int32 = 255
  private static let noFileSystemCall: Int32 = 253

  /// `--status`: 1 where the slot holds something, 0 where it does not. What `-l` has staged in the crash
  /// slot is no crash kernel.
  static func answer<System: LinuxSystem>(slot: KexecSlot, _ system: System) -> Int32 {
    guard KernelFlags.isThere(KernelFlags.normalSlot, system) else { return failed }
    switch slot {
    case .normal: return KernelFlags.isLoaded(.normal, system) ? 1 : 0
    case .crash: return LoadRecord.crashSlot(system) == .dumpKernel ? 1 : 0
    }
  }

  /// Of what has no error: the questions that kexec-tools does not know keep their answers.
  static func number(of status: ExitStatus) -> Int32 { status.rawValue }

  static func number(of error: BatonError) -> Int32 {
    switch error {
    case .usage(.noImage), .usage(.badValue(option: "--type", value: _)): failed
    case .fileLoad(.noSuchSystemCall), .fileLoadPanic(.noSuchSystemCall, left: _): noFileSystemCall
    case .usage, .file, .commandLineUnreadable, .nothingLoaded: 1
    default: failed
    }
  }
}
