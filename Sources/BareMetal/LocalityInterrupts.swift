import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// The message-signalled interrupts (LPIs) that the old kernel left on.
public struct LocalityInterrupts {
  /// A redistributor that keeps its LPIs on, and its tables in memory.
  public struct Stuck: Error {
    public let frame: UInt64
    public let propertyTable: PhysicalRange?
    public let pendingTable: PhysicalRange?
  }

  /// Switches them off in every redistributor that `block` lists. Caches off or on: devices only.
  public static func disable(_ block: HandoffBlockView) throws(Stuck) {
    for index in 0..<block.redistributorCount {
      let region = block.redistributors(index)
      var frame = region.start
      let end = region.start &+ region.size
      while frame < end, let redistributor = Redistributor(at: frame) {
        guard redistributor.disableLPIs() else {
          throw Stuck(
            frame: frame, propertyTable: redistributor.propertyTable,
            pendingTable: redistributor.pendingTable)
        }
        if redistributor.isLast { break }
        frame &+= region.stride != 0 ? region.stride : redistributor.frameSize
      }
    }
  }
}
