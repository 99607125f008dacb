import CBareMetal
import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// The message-signalled interrupts (LPIs) that the old kernel left on.
public struct LocalityInterrupts {
  /// A redistributor that keeps its LPIs on, and why the next kernel cannot live with that.
  public struct Stuck: Error {
    public enum Reason: Sendable {
      /// It has a table in what was loaded.
      case overlap
      /// There are more tables than can be reserved.
      case tooMany
      /// Its registers do not tell where the table is.
      case notTold
    }

    public let frame: UInt64
    public let reason: Reason
    /// Where the table is; 0 where that is not told.
    public let table: UInt64
  }

  /// Switches them off in every redistributor that `block` lists.
  ///
  /// - Parameter reservations: gets the tables of those that refuse: the next kernel has to leave
  ///   them alone.
  /// - Throws: `Stuck` where the next kernel could not do that.
  public static func disable(
    _ block: HandoffBlockView, into reservations: UnsafeMutablePointer<baton_reservations>
  ) throws(Stuck) {
    // Sound: the caller's, for as long as the call.
    unsafe reservations.pointee.count = 0
    for index in 0..<block.redistributorCount {
      let region = block.redistributors(index)
      var frame = region.start
      let end = region.start &+ region.size
      while frame < end, let redistributor = Redistributor(at: frame) {
        if !redistributor.disableLPIs() {
          try unsafe keep(redistributor.propertyTable, of: frame, block, in: reservations)
          try unsafe keep(redistributor.pendingTable, of: frame, block, in: reservations)
        }
        if redistributor.isLast { break }
        frame &+= region.stride != 0 ? region.stride : redistributor.frameSize
      }
    }
  }

  private static func keep(
    _ table: PhysicalRange?, of frame: UInt64, _ block: HandoffBlockView,
    in reservations: UnsafeMutablePointer<baton_reservations>
  ) throws(Stuck) {
    guard let table else { throw Stuck(frame: frame, reason: .notTold, table: 0) }
    let entry = baton_reservation(start: table.start.rawValue, size: table.size)
    // Sound: so many are set, of an array of so many more.
    let count = unsafe Int(reservations.pointee.count)
    let entries = unsafe baton_reservation_entries(reservations)
    // The redistributors share one property table, which is as large to each.
    for index in 0..<count
    where unsafe entries[index].start == entry.start && entries[index].size == entry.size { return }
    guard !block.overlaps(table) else {
      throw Stuck(frame: frame, reason: .overlap, table: table.start.rawValue)
    }
    guard count < Int(BATON_MAXIMUM_RESERVATIONS) else {
      throw Stuck(frame: frame, reason: .tooMany, table: entry.start)
    }
    unsafe entries[count] = entry
    unsafe reservations.pointee.count = UInt64(count + 1)
  }

  /// Writes `reservations` into the device tree at `address`, which has been verified, and cleans
  /// them to the point of coherency.
  ///
  /// - Returns: whether there was room for all.
  public static func reserve(
    _ reservations: UnsafeMutablePointer<baton_reservations>, inTreeAt address: UInt64
  ) -> Bool {
    let count = unsafe Int(reservations.pointee.count)
    guard count > 0 else { return true }
    guard address & 7 == 0, let tree = unsafe UnsafeMutableRawPointer(bitPattern: UInt(address)),
      // Sound: verified, and mapped as data.
      var map = unsafe ReservationMap(at: tree)
    else { return false }
    // Sound: an array of which so many are set.
    let entries = unsafe baton_reservation_entries(reservations)
    for index in 0..<count {
      guard unsafe map.append(start: entries[index].start, size: entries[index].size) else {
        return false
      }
    }
    baton_clean_to_poc(address, address &+ UInt64(map.endOffset))
    return true
  }
}
