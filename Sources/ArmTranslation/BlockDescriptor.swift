import PhysicalMemory

/// A descriptor at level 1 or 2 that maps a block (Arm ARM D8.3.1.2).
struct BlockDescriptor {
  /// A multiple of the block's size, below 2^48.
  let outputAddress: PhysicalAddress
  let attributes: LeafAttributes

  /// The address down to the block's size, the attributes around it; [1:0] = 0b01 say block.
  var rawValue: UInt64 { outputAddress.rawValue | attributes.rawValue | 0b01 }
}
