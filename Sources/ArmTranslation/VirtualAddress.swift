import PhysicalMemory

/// An address that a translation regime takes in, in bytes: the Arm ARM's VA.
///
/// A type of its own, so that it cannot be passed where a physical address is meant.
public struct VirtualAddress: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  public init(_ rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// The virtual address of `address` where tables map it to itself.
  public init(identityOf address: PhysicalAddress) {
    self.rawValue = address.rawValue
  }

  /// Whether the address is a multiple of `alignment`, a power of two in bytes.
  public func isAligned(to alignment: UInt64) -> Bool {
    rawValue & (alignment - 1) == 0
  }
}

extension VirtualAddress: Comparable {
  public static func < (a: VirtualAddress, b: VirtualAddress) -> Bool {
    a.rawValue < b.rawValue
  }
}
