/// The kernel's two calls that load a kernel.
enum LoadSystemCall: Hashable, Sendable {
  /// `kexec_load(2)`, which takes segments.
  case memory
  /// `kexec_file_load(2)`, which takes files.
  case file
}
