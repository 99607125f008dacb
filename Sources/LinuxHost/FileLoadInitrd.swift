/// What `kexec_file_load(2)` takes as the initial RAM disk.
public enum FileLoadInitrd: Equatable, Sendable {
  case none
  /// The file at a path.
  case file(String)
  /// A file without a name, of so many zeros.
  case zeros(Int)
}
