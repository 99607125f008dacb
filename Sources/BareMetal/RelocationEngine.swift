import BootDigests
import CBareMetal
import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// Runs a plan with the MMU and the caches on: moves its extents, then compares its pieces. Every
/// CPU of the stage runs one over the same plan; each takes the next of what nobody has taken.
@safe
public struct RelocationEngine {
  /// How much of an extent is taken at a time, in bytes.
  private static var runSize: UInt64 { 1 << 20 }

  private let block: HandoffBlockView
  /// In the stage's writable section, for as long as the stage runs.
  private let work: UnsafeMutablePointer<baton_shared_work>

  public init(block: HandoffBlockView) {
    self.block = block
    unsafe work = baton_stage_shared_work()
  }

  /// Moves runs of extents until all are taken, and cleans what was written to the point of
  /// coherency. No extent's destination is another's source: the order does not matter.
  ///
  /// - Returns: the number of bytes that all CPUs move.
  public func moveExtents() -> UInt64 {
    var total: UInt64 = 0
    guard block.extentCount > 0 else { return total }
    // Runs are counted through all extents; a CPU's own numbers only grow.
    var first: UInt64 = 0
    var run = unsafe baton_take(&work.pointee.next_run)
    for index in 0..<block.extentCount {
      let extent = block.extent(index)
      let count = (extent.size &+ (Self.runSize - 1)) / Self.runSize
      while run &- first < count {
        let offset = (run &- first) &* Self.runSize
        let size = min(Self.runSize, extent.size &- offset)
        var part = baton_extent(
          source: extent.source &+ offset, destination: extent.destination &+ offset, size: size)
        if extent.source == BATON_EXTENT_ZEROS { part.source = extent.source }
        // Sound: one extent, which is read during the call.
        unsafe baton_relocate(
          &part, 1, block.header.source_offset, block.header.destination_offset,
          Processor.hasMemoryCopy ? 1 : 0)
        unsafe baton_complete(&work.pointee.bytes_moved, size)
        run = unsafe baton_take(&work.pointee.next_run)
      }
      first &+= count
      total &+= extent.size
    }
    return total
  }

  /// Moves every extent of `block` with the MMU off, as kernels before Linux 5.16 do.
  ///
  /// - Returns: the number of bytes moved.
  public static func moveUncached(_ block: HandoffBlockView) -> UInt64 {
    var total: UInt64 = 0
    for index in 0..<block.extentCount {
      var extent = block.extent(index)
      // Sound: one extent, which is read during the call.
      unsafe baton_relocate_uncached(&extent, 1, 0, 0)
      total &+= extent.size
    }
    return total
  }

  /// Whether all CPUs together have moved so many bytes: only then may pieces be compared.
  public func hasMoved(_ bytes: UInt64) -> Bool {
    unsafe baton_completed(&work.pointee.bytes_moved) == bytes
  }

  /// Compares pieces with their digests until all are taken, or one that differs was found.
  public func verifyPieces() {
    let verification = PieceVerification(
      block: block, memory: IdentityMemory(offset: block.header.destination_offset),
      implementation: Processor.hasSHA256 ? .armv8 : .portable)
    while unsafe baton_completed(&work.pointee.mismatch) == 0 {
      let index = unsafe baton_take(&work.pointee.next_piece)
      guard index < UInt64(block.pieceCount) else { return }
      if verification.matches(Int(index)) {
        unsafe baton_complete(&work.pointee.bytes_verified, UInt64(block.piece(Int(index)).size))
      } else {
        unsafe baton_publish(&work.pointee.mismatch, index &+ 1)
      }
    }
  }

  /// A piece that is not what was loaded, once one was found.
  public var mismatch: Int? {
    let found = unsafe baton_completed(&work.pointee.mismatch)
    return found == 0 ? nil : Int(found) - 1
  }

  /// The bytes that all CPUs together have found to be what was loaded.
  public var verifiedBytes: UInt64 { unsafe baton_completed(&work.pointee.bytes_verified) }
}
