import BootDigests
import CBatonArm64
import PhysicalMemory

/// Compares the pieces that a handoff block lists with their digests.
public struct PieceVerification<Memory: ReadableMemory> {
  private let block: HandoffBlockView
  private let memory: Memory
  private let implementation: SHA256.Implementation

  public init(
    block: HandoffBlockView, memory: Memory, implementation: SHA256.Implementation
  ) {
    self.block = block
    self.memory = memory
    self.implementation = implementation
  }

  /// Whether the piece at `index`, below the block's `pieceCount`, is what was loaded.
  public func matches(_ index: Int) -> Bool {
    let piece = block.piece(index)
    guard
      let range = PhysicalRange(start: PhysicalAddress(piece.address), size: UInt64(piece.size)),
      let start = unsafe memory.pointer(to: range)
    else { return false }
    // Sound: the memory says that these bytes can be read.
    let bytes = unsafe RawSpan(
      _unsafeBytes: UnsafeRawBufferPointer(start: start, count: Int(piece.size)))
    return SHA256.digest(of: bytes, using: implementation) == expectedDigest(of: piece)
  }

  private func expectedDigest(of piece: baton_piece) -> SHA256Digest {
    // Sound: 32 bytes without padding.
    unsafe withUnsafeBytes(of: piece.digest) { bytes in
      SHA256Digest(bytes: InlineArray { unsafe bytes[$0] })
    }
  }
}
