import PhysicalMemory

/// A descriptor above level 3 that maps a block (Arm ARM D8.3.1.2).
struct BlockDescriptor {
  /// A multiple of the block's size.
  let outputAddress: PhysicalAddress
  let geometry: TranslationGeometry
  let attributes: LeafAttributes

  /// The address down to the block's size, the attributes around it; [1:0] = 0b01 say block.
  var rawValue: UInt64 {
    geometry.format.field(outputAddress, granule: geometry.granule) | attributes.rawValue | 0b01
  }
}
