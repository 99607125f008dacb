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
  /// - Returns: the tables of those that refuse: the next kernel has to leave them alone.
  /// - Throws: `Stuck` where the next kernel could not do that.
  public static func disable(_ block: HandoffBlockView) throws(Stuck) -> baton_reservations {
    var reservations = baton_reservations()
    for index in 0..<block.redistributorCount {
      let region = block.redistributors(index)
      var frame = region.start
      let end = region.start &+ region.size
      while frame < end, let redistributor = Redistributor(at: frame) {
        if !redistributor.disableLPIs() {
          try keep(redistributor.propertyTable, of: frame, block, in: &reservations)
          try keep(redistributor.pendingTable, of: frame, block, in: &reservations)
        }
        if redistributor.isLast { break }
        frame &+= region.stride != 0 ? region.stride : redistributor.frameSize
      }
    }
    return reservations
  }

  private static func keep(
    _ table: PhysicalRange?, of frame: UInt64, _ block: HandoffBlockView,
    in reservations: inout baton_reservations
  ) throws(Stuck) {
    guard let table else { throw Stuck(frame: frame, reason: .notTold, table: 0) }
    guard !block.overlaps(table) else {
      throw Stuck(frame: frame, reason: .overlap, table: table.start.rawValue)
    }
    let entry = baton_reservation(start: table.start.rawValue, size: table.size)
    let count = Int(reservations.count)
    // Sound: a C array of so many entries.
    let kept = unsafe withUnsafeMutableBytes(of: &reservations.entries) { bytes in
      let entries = unsafe bytes.assumingMemoryBound(to: baton_reservation.self)
      // The redistributors share one property table.
      for index in 0..<count where unsafe entries[index].start == entry.start { return count }
      guard count < entries.count else { return -1 }
      unsafe entries[count] = entry
      return count + 1
    }
    guard kept >= 0 else { throw Stuck(frame: frame, reason: .tooMany, table: entry.start) }
    reservations.count = UInt64(kept)
  }
}

extension baton_reservations {
  /// Writes the reservations into the device tree at `address`, which has been verified, MMU and
  /// caches on, and cleans them to the point of coherency.
  ///
  /// - Returns: whether there was room for all.
  public mutating func write(toTreeAt address: UInt64) -> Bool {
    guard count > 0 else { return true }
    guard address & 7 == 0, let tree = unsafe UnsafeMutableRawPointer(bitPattern: UInt(address)),
      // Sound: verified, and mapped as data.
      var map = unsafe ReservationMap(at: tree)
    else { return false }
    let count = Int(count)
    // Sound: a C array, of which `count` entries are set.
    let hasRoom = unsafe withUnsafeBytes(of: entries) { bytes in
      let entries = unsafe bytes.assumingMemoryBound(to: baton_reservation.self)
      for index in 0..<count {
        guard unsafe map.append(start: entries[index].start, size: entries[index].size) else {
          return false
        }
      }
      return true
    }
    baton_clean_to_poc(address, address &+ UInt64(map.endOffset))
    return hasRoom
  }
}
