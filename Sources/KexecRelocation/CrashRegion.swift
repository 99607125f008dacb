import PhysicalMemory

/// The memory that `crashkernel=` reserved, for an image that is staged there: loaded while the old
/// kernel lives, with its caches on, and not moved by it afterwards.
///
/// ```
/// start   canary                        two pages of zeros
///         kernel, initrd, device tree   in place: where they run
///         sources                       what the stage moves elsewhere
///  …
/// guard   code | constants | tail       the stage once more, 64 KiB apart; the tail up to the end
/// ```
///
/// The *guard* is what a panic starts: it says that this is no dump kernel, and resets. The *canary*
/// does not outlive another load of the crash slot, whatever is loaded and wherever: loaders put
/// their kernel at the region's start, and where nothing is loaded there, Linux itself (4.13 and
/// later) takes the lowest two free pages of the region for control pages at each load, and writes
/// its copy of vmcoreinfo into the second. The *tail* holds the guard's stack and is zero, too:
/// loaders place the dump's ELF header from the top down.
public struct CrashRegion: Hashable, Sendable {
  /// What of the region may be used.
  public var available: PhysicalRangeSet
  /// From the guard's first byte to its tail's, in bytes; a multiple of `guardAlignment`.
  public var guardTailOffset: UInt64
  /// The kernel's file, in bytes: what is moved where the kernel cannot run in place.
  public var kernelFileSize: UInt64

  static let guardAlignment = StageImage.baseAlignment
  static let canaryPages: UInt64 = 2

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

  /// The region's first pages, or nil where there is no room for them.
  ///
  /// - Parameter pageSize: the running kernel's, in bytes.
  func canary(pageSize: UInt64) -> PhysicalRange? {
    let size = CrashRegion.canaryPages * pageSize
    guard let first = available.ranges.first, first.size >= size, let guardRange else { return nil }
    let range = PhysicalRange(first.start, upTo: first.start + size)
    return range.overlaps(guardRange) ? nil : range
  }

  /// What `crashkernel=` has to reserve, in bytes, for all of this to run in place, wherever the
  /// region begins.
  public static func sizeNeeded(
    kernel: KernelRequirements, initrdSize: UInt64, deviceTreeSize: UInt64, stage: StageImage
  ) -> UInt64 {
    let block: UInt64 = 2 << 20
    func blocks(_ size: UInt64) -> UInt64 { (size + block - 1) & ~(block - 1) }
    // Linux aligns the region to 2 MiB at least; the canary leaves the kernel the next boundary.
    return block + blocks(kernel.textOffset + kernel.memorySize + initrdSize)
      + blocks(deviceTreeSize)
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
  public let canary: PhysicalRange

  /// Zeros that another load of the crash slot would have overwritten.
  var untouched: [PhysicalRange] { [canary, guardTail] }

  /// Whether the old kernel has nothing to move but the stage.
  public var isComplete: Bool {
    kernel != .relocated && initrd != .relocated && deviceTree != .relocated
  }

  /// Whether the stage has nothing to move, either.
  public var isInPlace: Bool {
    kernel == .inPlace && initrd == .inPlace && deviceTree == .inPlace
  }

  /// What the stage has to move, in bytes.
  public var movedSize: UInt64 {
    var size: UInt64 = 0
    for place in [kernel, initrd] {
      if case .moved(let source) = place { size += source.size }
    }
    return size
  }

  /// The region's parts that hold something besides what is in place.
  var extraRanges: [PhysicalRange] {
    var ranges = untouched
    for place in [kernel, initrd] {
      if case .moved(let source) = place { ranges.append(source) }
    }
    return ranges
  }
}
