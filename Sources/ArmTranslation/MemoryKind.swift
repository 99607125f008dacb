/// What a mapped region is. Memory type and permissions come compounded, so that memory which is
/// both writable and executable cannot be said. EL0 has access to none of them.
public enum MemoryKind: Sendable, Hashable, CaseIterable {
  /// Normal write-back memory, read-only, executable at the regime's privileged level.
  case code
  /// Normal write-back memory, read-only, never executable.
  case readOnlyData
  /// Normal write-back memory, writable, never executable.
  case data
  /// Device-nGnRE memory, writable, never executable.
  case device
}
