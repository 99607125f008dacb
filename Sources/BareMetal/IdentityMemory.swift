import KexecRelocation
import PhysicalMemory

/// All of physical memory at its own addresses: with the MMU off, or mapped to itself.
///
/// What is not there, or not mapped, ends in an exception with a message.
public struct IdentityMemory: ReadableMemory {
  public init() {}

  public func pointer(to range: PhysicalRange) -> UnsafeRawPointer? {
    unsafe UnsafeRawPointer(bitPattern: UInt(range.start.rawValue))
  }
}
