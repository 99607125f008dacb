import PhysicalMemory

/// Why an image is not loaded. Every page that had been taken has been given back.
public enum KimageError: Error, Hashable, Sendable {
  /// The allocator had none left when so many pages had been taken from it.
  case noMemory(pages: Int)
  /// Empty, or an end is no multiple of a page.
  case badSegment(PhysicalRange)
  /// Two segments share memory.
  case overlap(PhysicalRange, PhysicalRange)
  /// There are more bytes than the segment has room for.
  case tooLong(PhysicalRange, bytes: UInt64)
}
