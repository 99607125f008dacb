import PhysicalMemory

/// A descriptor at level 3 that maps a page (Arm ARM D8.3.1.2).
struct PageDescriptor {
  /// A multiple of the granule's page, below 2^48.
  let outputAddress: PhysicalAddress
  let attributes: LeafAttributes

  /// The address down to the page's size, the attributes around it; [1:0] = 0b11 say page.
  var rawValue: UInt64 { outputAddress.rawValue | attributes.rawValue | 0b11 }
}
