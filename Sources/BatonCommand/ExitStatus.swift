/// What the command's exit status says. Documented in Documentation/exit-status.md.
public enum ExitStatus: Int32, Sendable, CaseIterable {
  case success = 0
  /// A question was answered with no (`--status`: no kernel is loaded).
  case negative = 1
  /// The command line makes no sense.
  case usage = 2
  /// A file that was given cannot be read or used.
  case badFile = 3
  /// There is no place for what should be loaded.
  case noRoom = 4
  /// Not privileged, or loading is switched off here.
  case notPermitted = 5
  /// This kernel or machine cannot do it.
  case unsupported = 6
  /// The kernel refused a call.
  case systemCall = 7
}
