import PhysicalMemory

/// Physical memory as the stage reads it: all of it at its own address on bare metal, a copy of
/// some of it in tests.
public protocol ReadableMemory {
  /// Where the bytes of `range` can be read, as aligned as the range's start is to 8 bytes; nil
  /// where not all of them can.
  func pointer(to range: PhysicalRange) -> UnsafeRawPointer?
}
