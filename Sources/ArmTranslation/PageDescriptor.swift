import PhysicalMemory

/// A descriptor at level 3 that maps a page (Arm ARM D8.3.1.2).
struct PageDescriptor {
  /// A multiple of the granule's page.
  let outputAddress: PhysicalAddress
  let geometry: TranslationGeometry
  let attributes: LeafAttributes

  /// The address down to the page's size, the attributes around it; [1:0] = 0b11 say page.
  var rawValue: UInt64 {
    geometry.format.field(outputAddress, granule: geometry.granule) | attributes.rawValue | 0b11
  }
}
