import PhysicalMemory

/// Whoever gives pages for a relocation, and takes them back where it comes to nothing.
public protocol PageAllocator {
  /// `1 << order` contiguous pages, aligned to their size, that nobody else has; nil where there
  /// are none.
  mutating func allocate(order: Int) -> PhysicalAddress?
  /// Takes back what `allocate` gave. Pages of a larger order may come back one by one.
  mutating func free(_ pages: PhysicalAddress, order: Int)
}
