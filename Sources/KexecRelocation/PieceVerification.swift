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

  /// - Returns: the number of bytes compared.
  /// - Throws: the first piece that is not what was loaded.
  public func verify() throws(PieceMismatch) -> UInt64 {
    var verified: UInt64 = 0
    for index in 0..<block.pieceCount {
      let piece = block.piece(index)
      guard
        let range = PhysicalRange(
          start: PhysicalAddress(piece.address), size: UInt64(piece.size)),
        let start = unsafe memory.pointer(to: range)
      else { throw PieceMismatch(index: index, piece: piece) }
      // Sound: the memory says that these bytes can be read.
      let bytes = unsafe RawSpan(
        _unsafeBytes: UnsafeRawBufferPointer(start: start, count: Int(piece.size)))
      guard SHA256.digest(of: bytes, using: implementation) == expectedDigest(of: piece) else {
        throw PieceMismatch(index: index, piece: piece)
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

/// A piece that is not what was loaded.
public struct PieceMismatch: Error {
  public let index: Int
  public let piece: baton_piece
}
