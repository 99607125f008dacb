/// What the command was called as. The options are the same; exit statuses, and what a command line
/// means that names no action or several, are not.
public enum Caller: Hashable, Sendable {
  case baton
  /// In kexec-tools' place.
  case kexec

  /// By the program's name, which may have folders in front.
  public init(programName: String) {
    let name = programName.utf8.split(separator: UInt8(ascii: "/")).last.map { String($0) ?? "" }
    self = name == "kexec" ? .kexec : .baton
  }

  /// What its sentences begin with.
  var name: String { self == .kexec ? "kexec" : "baton" }
}
