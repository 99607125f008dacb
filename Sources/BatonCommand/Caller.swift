import LinuxHost

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

  /// What every line for people begins with: the name that was typed. kexec-tools' own lines begin with
  /// it where getopt_long(3) writes them, and bare otherwise.
  var name: String { self == .kexec ? "kexec" : "baton" }

  /// Says a sentence, and goes on.
  func warn<System: LinuxSystem>(_ sentence: String, _ system: System) {
    say("warning: " + sentence, system)
  }

  func say<System: LinuxSystem>(_ sentence: String, _ system: System) {
    system.write(name + ": " + sentence + "\n", to: .standardError)
  }
}
