import BootDigests
import CBareMetal
import CBatonArm64
import KexecRelocation

/// Runs a plan with the MMU and the caches on: moves its extents, then compares its pieces.
public struct RelocationEngine {
  private let block: HandoffBlockView
  private let implementation: SHA256.Implementation

  public init(block: HandoffBlockView) {
    self.block = block
    implementation = Processor.hasSHA256 ? .armv8 : .portable
  }

  /// Moves every extent and cleans what was written to the point of coherency.
  ///
  /// - Returns: the number of bytes moved.
  public func moveExtents() -> UInt64 {
    var moved: UInt64 = 0
    for index in 0..<block.extentCount {
      let extent = block.extent(index)
      baton_copy_lines(extent.destination, extent.source, extent.size)
      baton_clean_to_poc(extent.destination, extent.destination &+ extent.size)
      moved &+= extent.size
    }
    return moved
  }

  /// A piece that is not what was loaded.
  public struct Mismatch: Error {
    public let index: Int
    public let piece: baton_piece
  }

  /// Compares every piece with its digest.
  ///
  /// - Returns: the number of bytes compared.
  public func verifyPieces() throws(Mismatch) -> UInt64 {
    var verified: UInt64 = 0
    for index in 0..<block.pieceCount {
      let piece = block.piece(index)
      // Sound: the loader mapped every piece that it lists, and the block's checksum holds it to
      // its list. What is not mapped ends in an exception with a message.
      let bytes = unsafe RawSpan(
        _unsafeBytes: UnsafeRawBufferPointer(
          start: UnsafeRawPointer(bitPattern: UInt(piece.address)), count: Int(piece.size)))
      guard SHA256.digest(of: bytes, using: implementation) == expectedDigest(of: piece) else {
        throw Mismatch(index: index, piece: piece)
      }
      verified &+= UInt64(piece.size)
    }
    return verified
  }

  private func expectedDigest(of piece: baton_piece) -> SHA256Digest {
    // Sound: 32 bytes without padding.
    unsafe withUnsafeBytes(of: piece.digest) { bytes in
      SHA256Digest(bytes: InlineArray { unsafe bytes[$0] })
    }
  }
}
