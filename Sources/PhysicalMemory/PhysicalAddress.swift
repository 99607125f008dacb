/// An address in the machine's physical address space, in bytes.
///
/// A value type of its own, so that a virtual address, a file offset or a size cannot be passed
/// where a physical address is meant. Subtracting two addresses gives a size.
///
/// The Arm architecture defines at most 52 bits of physical address (FEAT_LPA, FEAT_LPA2), or 56
/// with FEAT_D128; arithmetic here is checked in 64 bits and traps where it would wrap.
public struct PhysicalAddress: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt64

  @inlinable
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  @inlinable
  public init(_ rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// Whether the address is a multiple of `alignment`, a power of two in bytes.
  @inlinable
  public func isAligned(to alignment: UInt64) -> Bool {
    rawValue & (alignment - 1) == 0
  }

  /// The highest multiple of `alignment`, a power of two in bytes, that is not above the address.
  @inlinable
  public func alignedDown(to alignment: UInt64) -> PhysicalAddress {
    PhysicalAddress(rawValue & ~(alignment - 1))
  }

  /// The lowest multiple of `alignment`, a power of two in bytes, that is not below the address,
  /// or nil where there is none in 64 bits.
  @inlinable
  public func alignedUp(to alignment: UInt64) -> PhysicalAddress? {
    let (sum, overflow) = rawValue.addingReportingOverflow(alignment - 1)
    return overflow ? nil : PhysicalAddress(sum & ~(alignment - 1))
  }

  /// The address `size` bytes above, or nil where that would leave 64 bits.
  @inlinable
  public func advanced(bySize size: UInt64) -> PhysicalAddress? {
    let (sum, overflow) = rawValue.addingReportingOverflow(size)
    return overflow ? nil : PhysicalAddress(sum)
  }

  @inlinable
  public static func + (address: PhysicalAddress, size: UInt64) -> PhysicalAddress {
    PhysicalAddress(address.rawValue + size)
  }

  @inlinable
  public static func - (end: PhysicalAddress, start: PhysicalAddress) -> UInt64 {
    end.rawValue - start.rawValue
  }
}

extension PhysicalAddress: Comparable {
  @inlinable
  public static func < (a: PhysicalAddress, b: PhysicalAddress) -> Bool {
    a.rawValue < b.rawValue
  }
}
