/// The way in which a kernel is loaded (`--via`).
enum LoadRoute: Hashable, Sendable {
  /// Into the memory that `crashkernel=` reserved, by `kexec_load(2)` for the crash slot: nothing,
  /// or less, is left to move. See Documentation/staged.md.
  case crashKernel
  /// By `kexec_load(2)` for the normal slot: the running kernel moves it all when it has stopped.
  case memory
  /// By `kexec_file_load(2)`: the kernel does everything, and nothing is verified on the way.
  case file

  init?(parsing text: String) {
    switch text {
    case "crashkernel": self = .crashKernel
    case "memory": self = .memory
    case "file": self = .file
    default: return nil
    }
  }

  var text: String {
    switch self {
    case .crashKernel: "crashkernel"
    case .memory: "memory"
    case .file: "file"
    }
  }
}
