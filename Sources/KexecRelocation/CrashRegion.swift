import PhysicalMemory

/// The memory that `crashkernel=` reserved, for an image that is staged there: loaded while the old
/// kernel lives, with its caches on, and not moved by it afterwards.
///
/// ```
/// start   kernel, initrd, device tree   in place: where they run
///         sources                       what the stage moves elsewhere
///  …
/// guard   code | constants | tail       the stage once more, 64 KiB apart; the tail up to the end
/// ```
///
/// The *guard* is what a panic starts: it says that this is no dump kernel, and resets. The *tail*
/// holds the guard's stack and is zero: whoever loads a dump kernel puts something there (its ELF
/// core header is placed from the top down), and the stage notices.
public struct CrashRegion: Hashable, Sendable {
  /// What of the region may be used.
  public var available: PhysicalRangeSet
  /// From the guard's first byte to its tail's, in bytes; a multiple of `guardAlignment`.
  public var guardTailOffset: UInt64
  /// The kernel's file, in bytes: what is moved where the kernel cannot run in place.
  public var kernelFileSize: UInt64

  static let guardAlignment = StageImage.baseAlignment

  public init(available: PhysicalRangeSet, stage: StageImage, kernelFileSize: UInt64) {
    self.available = available
    guardTailOffset = stage.writable.offset
    self.kernelFileSize = kernelFileSize
  }

  /// The guard's first byte, and its end, or nil where there is no room for it.
  var guardRange: PhysicalRange? {
    guard let last = available.ranges.last,
      last.size >= guardTailOffset + 2 * CrashRegion.guardAlignment
    else { return nil }
    let base = PhysicalAddress(last.end.rawValue - guardTailOffset - CrashRegion.guardAlignment)
      .alignedDown(to: CrashRegion.guardAlignment)
    return base >= last.start ? PhysicalRange(base, upTo: last.end) : nil
  }

  /// What `crashkernel=` has to reserve, in bytes, for all of this to run in place, wherever the
  /// region begins.
  public static func sizeNeeded(
    kernel: KernelRequirements, initrdSize: UInt64, deviceTreeSize: UInt64, stage: StageImage
  ) -> UInt64 {
    let block: UInt64 = 2 << 20
    func blocks(_ size: UInt64) -> UInt64 { (size + block - 1) & ~(block - 1) }
    // Linux aligns the region to 2 MiB at least.
    return blocks(kernel.textOffset + kernel.memorySize + initrdSize) + blocks(deviceTreeSize)
      + blocks(stage.writable.offset + 2 * guardAlignment)
  }
}

/// Where what a plan loads waits for the stage, where some of it lies in the crash region.
public struct Staging: Hashable, Sendable {
  /// Where one segment's bytes are when the stage is entered.
  public enum Place: Hashable, Sendable {
    /// In the crash region, where they will be used.
    case inPlace
    /// In the crash region, in whole pages from here on; the stage moves them.
    case moved(from: PhysicalRange)
    /// Where they will be used, outside the region: the old kernel has moved them.
    case relocated
  }

  public let kernel: Place
  public let initrd: Place
  public let deviceTree: Place
  /// From the guard's first byte to the region's last.
  public let guardRange: PhysicalRange
  public let guardTail: PhysicalRange

  /// Whether the old kernel has nothing to move but the stage.
  public var isComplete: Bool {
    kernel != .relocated && initrd != .relocated && deviceTree != .relocated
  }

  /// Whether the stage has nothing to move, either.
  public var isInPlace: Bool {
    kernel == .inPlace && initrd == .inPlace && deviceTree == .inPlace
  }

  /// The region's parts that hold something besides what is in place.
  var extraRanges: [PhysicalRange] {
    var ranges = [guardTail]
    for place in [kernel, initrd] {
      if case .moved(let source) = place { ranges.append(source) }
    }
    return ranges
  }
}
