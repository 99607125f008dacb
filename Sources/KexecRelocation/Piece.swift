import BootDigests
import PhysicalMemory

/// At most 1 MiB of one segment, and the digest that it must have when the next kernel starts.
///
/// Pieces are the unit of verification: a mismatch names the megabyte that changed, and several
/// CPUs can check several pieces at a time.
public struct Piece: Sendable {
  /// The largest piece, in bytes.
  public static let maximumSize: UInt64 = 1 << 20

  public let role: SegmentRole
  public let range: PhysicalRange
  public let digest: SHA256Digest

  public init(role: SegmentRole, range: PhysicalRange, digest: SHA256Digest) {
    self.role = role
    self.range = range
    self.digest = digest
  }
}
