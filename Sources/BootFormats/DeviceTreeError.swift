/// Why a blob is no device tree that can be read. Offsets are in bytes from the blob's start.
public enum DeviceTreeError: Error, Sendable, Hashable {
  /// A part of the blob that its header places.
  public enum Block: Sendable, Hashable {
    case reservations
    case structure
    case strings
  }

  /// The blob ends before its header of 40 bytes does.
  case tooShort(size: Int)
  case badMagic(UInt32)
  /// Only version 17, and what is compatible with it, can be read.
  case unsupportedVersion(version: UInt32, lastCompatible: UInt32)
  /// The header's totalsize is more than there is, or less than a header.
  case badTotalSize(totalSize: UInt32, available: Int)
  /// A block does not lie between the header and the end.
  case blockOutOfBounds(Block, offset: UInt32, size: UInt32)
  /// Reservations must lie at a multiple of 8, the structure at one of 4.
  case misaligned(Block, offset: UInt32)
  /// The list of reservations has no end inside the blob.
  case unterminatedReservations(offset: Int)
  /// A reservation reaches beyond 64 bits.
  case reservationWraps(offset: Int)
  /// The structure block ends in the middle of something.
  case truncatedStructure(offset: Int)
  /// A token that does not exist.
  case unknownToken(UInt32, offset: Int)
  /// A token that must not stand where it stands: a property outside a node or after a child, a
  /// second root, an end without a begin.
  case misplacedToken(UInt32, offset: Int)
  /// A node's name is not terminated inside the structure block.
  case unterminatedName(offset: Int)
  /// A property's name does not lie in the strings block, or has no end there.
  case badPropertyName(nameOffset: UInt32, offset: Int)
  /// A property's value reaches beyond the structure block.
  case propertyOutOfBounds(length: UInt32, offset: Int)
  /// Nodes are nested deeper than `DeviceTree.depthLimit`.
  case tooDeep(offset: Int)
  /// The tree to be written does not fit the format's 32-bit sizes.
  case tooLarge(size: Int)
}
