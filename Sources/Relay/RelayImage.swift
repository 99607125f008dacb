import ArmTranslation
import CRelay
import PhysicalMemory

/// relay itself, where it lies.
enum RelayImage {
  /// Its parts, in ascending order: code, constants, and all that it writes, the heap included. The
  /// page below the stack can be read, because it is hibernated with all else, but not written.
  static var parts: InlineArray<5, (PhysicalRange, MemoryKind)> {
    [
      (range(relay_base(), relay_code_end()), .code),
      (range(relay_code_end(), relay_constants_end()), .readOnlyData),
      (range(relay_constants_end(), relay_stack_guard()), .data),
      (range(relay_stack_guard(), relay_stack_guard() + 4096), .readOnlyData),
      (range(relay_stack_guard() + 4096, relay_heap_end()), .data),
    ]
  }

  /// All of it.
  static var range: PhysicalRange { range(relay_base(), relay_heap_end()) }

  private static func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
    PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
  }
}
