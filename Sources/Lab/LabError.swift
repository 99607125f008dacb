/// Why the lab could not do what it was asked to, in words for the person who asked.
public enum LabError: Error, CustomStringConvertible {
  /// A file that the lab needs is not there; `remedy` is the command that makes it.
  case missing(path: String, remedy: String)
  /// The system refused an operation on a file or socket.
  case system(operation: String, path: String, reason: String)
  /// A program that the lab uses ended with an error.
  case programFailed(name: String, status: String, message: String)
  /// The guest did not do what it should; `lastLines` is the end of its console.
  case guest(String, lastLines: [String])
  /// QEMU's debug stub answered something unexpected.
  case debugStub(request: String, answer: String)
  /// A file that the lab reads is not in the format that it has to be in.
  case malformed(what: String, line: String)

  public var description: String {
    switch self {
    case .missing(let path, let remedy):
      return "\(path) is missing: run `\(remedy)`"
    case .system(let operation, let path, let reason):
      return "cannot \(operation) \(path): \(reason)"
    case .programFailed(let name, let status, let message):
      return "\(name) failed (\(status)): \(message)"
    case .guest(let what, let lastLines):
      guard !lastLines.isEmpty else { return what + "; its console stayed empty" }
      return what + "; the last lines of its console:\n"
        + lastLines.map { "  | " + $0 }.joined(separator: "\n")
    case .debugStub(let request, let answer):
      return "QEMU's debug stub answered “\(answer)” to “\(request)”"
    case .malformed(let what, let line):
      return "not a line of \(what): \(line)"
    }
  }
}
