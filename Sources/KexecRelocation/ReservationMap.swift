/// The memory reservation block of a flattened device tree (Devicetree Specification v0.4, 5.3),
/// and the room for more entries behind it: zeros between its terminator and the structure block.
///
/// ```
/// off_mem_rsvmap   address, size     big-endian, 64 bits each
///                  …
///                  0, 0              the terminator; the next entry goes here
///                  0, 0              … and its terminator here
/// off_dt_struct
/// ```
@safe
public struct ReservationMap {
  private let tree: UnsafeMutableRawPointer
  private var terminator: Int
  private let end: Int

  /// The map of the tree at `tree`, or nil where that is none.
  ///
  /// Sound where `tree` is aligned to 8 bytes and what its header speaks of can be read and
  /// written: it has been verified.
  public init?(at tree: UnsafeMutableRawPointer) {
    func number(_ offset: Int) -> Int {
      Int(UInt32(bigEndian: unsafe tree.load(fromByteOffset: offset, as: UInt32.self)))
    }
    // magic, off_dt_struct, off_mem_rsvmap
    guard number(0) == 0xD00D_FEED else { return nil }
    let end = number(8)
    var terminator = number(16)
    guard terminator & 7 == 0 else { return nil }
    while true {
      guard terminator + 16 <= end else { return nil }
      let start = unsafe tree.load(fromByteOffset: terminator, as: UInt64.self)
      let size = unsafe tree.load(fromByteOffset: terminator + 8, as: UInt64.self)
      if start == 0, size == 0 { break }
      terminator += 16
    }
    unsafe self.tree = tree
    self.terminator = terminator
    self.end = end
  }

  /// Reserves `size` bytes from `start`.
  ///
  /// - Returns: whether there was room.
  public mutating func append(start: UInt64, size: UInt64) -> Bool {
    // What follows must be a terminator in its turn.
    guard terminator + 32 <= end,
      unsafe tree.load(fromByteOffset: terminator + 16, as: UInt64.self) == 0,
      unsafe tree.load(fromByteOffset: terminator + 24, as: UInt64.self) == 0
    else { return false }
    unsafe tree.storeBytes(of: start.bigEndian, toByteOffset: terminator, as: UInt64.self)
    unsafe tree.storeBytes(of: size.bigEndian, toByteOffset: terminator + 8, as: UInt64.self)
    terminator += 16
    return true
  }

  /// Where the map ends now, in bytes from the tree's start.
  public var endOffset: Int { terminator + 16 }
}
