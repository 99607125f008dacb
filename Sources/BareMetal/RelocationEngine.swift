import BootDigests
import CBareMetal
import CBatonArm64
import KexecRelocation

/// Runs a plan with the MMU and the caches on: moves its extents, then compares its pieces.
public struct RelocationEngine {
  private let block: HandoffBlockView

  public init(block: HandoffBlockView) {
    self.block = block
  }

  /// Moves every extent and cleans what was written to the point of coherency.
  ///
  /// - Returns: the number of bytes moved.
  public func moveExtents() -> UInt64 {
    var moved: UInt64 = 0
    for index in 0..<block.extentCount {
      let extent = block.extent(index)
      let destination = extent.destination &+ block.header.destination_offset
      baton_copy_lines(destination, extent.source &+ block.header.source_offset, extent.size)
      baton_clean_to_poc(destination, destination &+ extent.size)
      moved &+= extent.size
    }
    return moved
  }

  /// Compares every piece with its digest.
  ///
  /// - Returns: the number of bytes compared.
  public func verifyPieces() throws(PieceMismatch) -> UInt64 {
    try PieceVerification(
      block: block, memory: IdentityMemory(),
      implementation: Processor.hasSHA256 ? .armv8 : .portable
    ).verify()
  }
}
