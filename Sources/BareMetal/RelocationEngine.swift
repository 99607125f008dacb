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

  /// Nobody has taken or done anything yet. What the kernel loads there are zeros; anything else would
  /// be taken for work of CPUs that never were.
  public static func begin() {
    // Sound: the linker script's memory, and no other CPU runs yet.
    let work = unsafe baton_stage_shared_work()
    unsafe work.pointee.next_run = 0
    unsafe work.pointee.next_piece = 0
    unsafe work.pointee.bytes_moved = 0
    unsafe work.pointee.bytes_verified = 0
    unsafe work.pointee.mismatch = 0
  }

  /// Moves runs of extents until all are taken, and cleans what was written to the point of
  /// coherency. No extent's destination is another's source: the order does not matter.
  ///
  /// A run is a part of a large extent, or as many small ones, one behind the other, as make up one:
  /// the loop then has all of them at once.
  ///
  /// - Returns: the number of bytes that all CPUs move.
  public func moveExtents() -> UInt64 {
    var total: UInt64 = 0
    guard block.extentCount > 0 else { return total }
    // Runs are counted through all extents; a CPU's own numbers only grow.
    var first: UInt64 = 0
    var run = unsafe baton_take(&work.pointee.next_run)
    var index = 0
    while index < block.extentCount {
      let start = index
      var size: UInt64 = 0
      repeat {
        size &+= block.extent(index).size
        index += 1
      } while index < block.extentCount && size &+ block.extent(index).size <= Self.runSize
      total &+= size
      // Several only of a single extent.
      let count = (size &+ (Self.runSize - 1)) / Self.runSize
      while run &- first < count {
        let offset = (run &- first) &* Self.runSize
        if count == 1 {
          // Sound: the block's own extents, which nobody writes.
          unsafe move(block.extents(from: start), count: index - start)
        } else {
          var part = block.extent(start)
          if part.source != BATON_EXTENT_ZEROS { part.source &+= offset }
          part.destination &+= offset
          part.size = min(Self.runSize, size &- offset)
          // Sound: one extent, which is read during the call.
          unsafe move(&part, count: 1)
        }
        unsafe baton_complete(&work.pointee.bytes_moved, min(Self.runSize, size &- offset))
        run = unsafe baton_take(&work.pointee.next_run)
      }
      first &+= count
    }
    return total
  }

  private func move(_ extents: UnsafePointer<baton_extent>, count: Int) {
    unsafe baton_relocate(
      extents, UInt64(count), block.header.source_offset, block.header.destination_offset,
      UInt64(Processor.hasMemoryCopy ? BATON_MOVE_MOPS : BATON_MOVE_PAIRS))
  }

  /// Moves every extent of `block` with the MMU off, as kernels before Linux 5.16 do.
  ///
  /// - Returns: the number of bytes moved.
  public static func moveUncached(_ block: HandoffBlockView) -> UInt64 {
    // Sound: the block's own extents, which nobody writes.
    unsafe baton_relocate(
      block.extents(from: 0), UInt64(block.extentCount), 0, 0, UInt64(BATON_MOVE_UNCACHED))
    var total: UInt64 = 0
    for index in 0..<block.extentCount { total &+= block.extent(index).size }
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
