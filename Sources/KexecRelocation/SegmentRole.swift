/// What a segment is to the next kernel. The values stand in the handoff block.
public enum SegmentRole: UInt32, Sendable, Hashable {
  case kernel = 0
  case initrd = 1
  case deviceTree = 2
  /// The guard's tail (`CrashRegion`): no part of the next kernel, but what a dump kernel that is
  /// loaded behind the stage's back overwrites.
  case crashRegion = 3

  /// The word that messages use.
  public var name: StaticString {
    switch self {
    case .kernel: "kernel"
    case .initrd: "initrd"
    case .deviceTree: "dtb"
    case .crashRegion: "crash region"
    }
  }
}
