import BootDigests
import CBatonArm64

/// The handoff block's checksum: XXH64 over what the stage relies on before it has verified
/// anything, in this order: its code, its constants, the translation tables, the block without the
/// checksum itself.
///
/// It finds damage, not forgery. It is not SHA-256 because it runs with the caches off, where every
/// access goes to memory: four multiplications a 32-byte stripe, one load a word.
public enum BlockChecksum {
  /// - Precondition: `block` starts with a `struct baton_handoff_block`.
  public static func of(
    code: Span<UInt64>, constants: Span<UInt64>, tables: Span<UInt64>, block: Span<UInt64>
  ) -> UInt64 {
    let checksumWord = Int(BATON_BLOCK_CHECKSUM_OFFSET) / MemoryLayout<UInt64>.size
    var hash = XXH64()
    hash.update(code)
    hash.update(constants)
    hash.update(tables)
    hash.update(block.extracting(first: checksumWord))
    hash.update(block.extracting(droppingFirst: checksumWord + 1))
    return hash.finalize()
  }
}
