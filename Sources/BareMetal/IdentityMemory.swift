import KexecRelocation
import PhysicalMemory

/// All of physical memory at its own addresses, with the MMU off or mapped to itself; or at an
/// offset from them, as the linear map has it.
///
/// What is not there, or not mapped, ends in an exception with a message.
public struct IdentityMemory: ReadableMemory {
  private let offset: UInt64

  /// - Parameter offset: added to addresses, modulo 2^64.
  public init(offset: UInt64 = 0) {
    self.offset = offset
  }

  public func pointer(to range: PhysicalRange) -> UnsafeRawPointer? {
    unsafe UnsafeRawPointer(bitPattern: UInt(range.start.rawValue &+ offset))
  }
}
