import PhysicalMemory

/// Where everything lies when the next kernel starts.
public struct Placement: Hashable, Sendable {
  /// From the image's first byte, `KernelRequirements.memorySize` bytes.
  public let kernel: PhysicalRange
  public let initrd: PhysicalRange?
  public let deviceTree: PhysicalRange
  /// A crash kernel's; nil where there is none.
  public let coreHeader: PhysicalRange?
  public let control: PhysicalRange
  /// The stacks of the CPUs that share the work; nil where there are none, or no room.
  public let stacks: PhysicalRange?
  /// Nil where nothing lies in the crash region.
  public internal(set) var staging: Staging? = nil
}

/// What has to be placed, and where it may be.
public struct PlacementRequest: Sendable {
  /// Memory that may be overwritten once the old kernel is dead, the running kernel's own image
  /// apart.
  public var available: PhysicalRangeSet
  /// The running kernel's own image. But for its init sections, which are freed after boot, its
  /// pages are never handed out by the running kernel's allocator, so a destination there costs
  /// next to nothing at load.
  public var runningKernel: PhysicalRange?
  /// Nothing is placed outside.
  public var bounds: PhysicalRange
  /// The running kernel's page size in bytes: what `kexec_load(2)` wants destinations aligned to.
  public var pageSize: UInt64
  public var kernel: KernelRequirements
  /// In bytes; 0 where there is none.
  public var initrdSize: UInt64
  /// In bytes, at most `maximumDeviceTreeSize`.
  public var deviceTreeSize: UInt64
  /// In bytes; 0 where there is none.
  public var coreHeaderSize: UInt64 = 0
  public var controlSize: UInt64
  /// A power of two, in bytes.
  public var controlAlignment: UInt64
  /// In bytes; 0 where there are none.
  public var stacksSize: UInt64 = 0
  /// Whether everything goes to the lowest addresses: in memory from which nobody allocates, what
  /// is left should be in one piece.
  public var isPacked = false
  /// What is to hold as much as it can, in place where that is possible; nil: nothing is staged.
  public var crashRegion: CrashRegion? = nil

  public init(
    available: PhysicalRangeSet, runningKernel: PhysicalRange?, bounds: PhysicalRange,
    pageSize: UInt64, kernel: KernelRequirements, initrdSize: UInt64, deviceTreeSize: UInt64,
    controlSize: UInt64, controlAlignment: UInt64
  ) {
    self.available = available
    self.runningKernel = runningKernel
    self.bounds = bounds
    self.pageSize = pageSize
    self.kernel = kernel
    self.initrdSize = initrdSize
    self.deviceTreeSize = deviceTreeSize
    self.controlSize = controlSize
    self.controlAlignment = controlAlignment
  }
}

/// Something for which there is no room. Sizes in bytes.
public enum PlacementError: Error, Hashable {
  case noRoomForKernel(size: UInt64)
  case noRoomForInitrd(size: UInt64)
  case noRoomForDeviceTree(size: UInt64)
  case noRoomForCoreHeader(size: UInt64)
  case noRoomForStage(size: UInt64)
  /// Neither kernel nor initrd fits into the crash region of so many bytes.
  case noRoomInCrashRegion(size: UInt64)
  case deviceTreeTooLarge(size: UInt64)
  /// `kexec_load(2)` cannot put the kernel there: it loads whole pages of this size.
  case textOffsetNotPageAligned(UInt64, pageSize: UInt64)
}

extension PlacementRequest {
  /// booting.rst: "The device tree blob (dtb) must […] not exceed 2 megabytes in size".
  public static let maximumDeviceTreeSize: UInt64 = 2 << 20

  /// Image and initrd lie "entirely within a 1 GB aligned physical memory window of up to 32 GB".
  static let initrdWindow: UInt64 = 32 << 30
  static let initrdWindowAlignment: UInt64 = 1 << 30

  /// Chooses destinations under the arm64 boot protocol's rules.
  ///
  /// The kernel goes where the running one lies if it fits there: those pages are nearly the only
  /// ones that the running kernel's allocator never meets. `kexec_load(2)` takes its control pages one
  /// at a time and sets every page aside that is somebody's destination, so everything else lies
  /// where the allocator comes last.
  public func place() throws(PlacementError) -> Placement {
    guard deviceTreeSize <= PlacementRequest.maximumDeviceTreeSize else {
      throw .deviceTreeTooLarge(size: deviceTreeSize)
    }
    guard kernel.textOffset & (pageSize - 1) == 0 else {
      throw .textOffsetNotPageAligned(kernel.textOffset, pageSize: pageSize)
    }
    var free = available
    if let runningKernel { free.insert(runningKernel) }
    free = free.intersection(bounds).alignedInward(to: pageSize)
    if let crashRegion { return try place(stagingIn: crashRegion, free) }

    let kernelRange = try placeKernel(in: free)
    free.subtract(outward(kernelRange))

    var initrdRange: PhysicalRange?
    if initrdSize > 0 {
      guard let range = placeInitrd(in: free, kernel: kernelRange) else {
        throw .noRoomForInitrd(size: initrdSize)
      }
      free.subtract(outward(range))
      initrdRange = range
    }

    let tree = try placeDeviceTree(in: free)
    free.subtract(outward(tree))
    return try placeRest(kernel: kernelRange, initrd: initrdRange, deviceTree: tree, in: free)
  }

  /// What depends on nothing else.
  func placeRest(
    kernel: PhysicalRange, initrd: PhysicalRange?, deviceTree: PhysicalRange,
    in free: PhysicalRangeSet
  ) throws(PlacementError) -> Placement {
    var free = free
    var headerRange: PhysicalRange?
    if coreHeaderSize > 0 {
      guard let range = outOfTheWay(free, size: coreHeaderSize, alignment: pageSize, [bounds])
      else { throw .noRoomForCoreHeader(size: coreHeaderSize) }
      free.subtract(outward(range))
      headerRange = range
    }

    guard
      let control = outOfTheWay(free, size: controlSize, alignment: controlAlignment, [bounds])
    else { throw .noRoomForStage(size: controlSize) }
    free.subtract(outward(control))

    return Placement(
      kernel: kernel, initrd: initrd, deviceTree: deviceTree, coreHeader: headerRange,
      control: control,
      stacks: placeStacks(in: free))
  }

  /// On a 2 MiB boundary, so that it never straddles two of the blocks by which early boot code
  /// maps it.
  static let deviceTreeAlignment: UInt64 = 2 << 20

  func placeDeviceTree(in free: PhysicalRangeSet) throws(PlacementError) -> PhysicalRange {
    guard
      let tree = outOfTheWay(
        free, size: deviceTreeSize, alignment: PlacementRequest.deviceTreeAlignment, [bounds])
    else { throw .noRoomForDeviceTree(size: deviceTreeSize) }
    return tree
  }

  func placeKernel(in free: PhysicalRangeSet) throws(PlacementError) -> PhysicalRange {
    // The base, not the image's first byte, is aligned: ask for room from the base on.
    let (size, overflow) = kernel.memorySize.addingReportingOverflow(kernel.textOffset)
    guard !overflow else { throw .noRoomForKernel(size: kernel.memorySize) }
    if let runningKernel, kernel.mayLieAnywhere,
      let here = PhysicalRange(
        start: runningKernel.start.alignedDown(to: kernel.alignment), size: size),
      free.contains(here)
    {
      return afterTextOffset(here)
    }
    let fit =
      kernel.mayLieAnywhere
      ? outOfTheWay(free, size: size, alignment: kernel.alignment, [bounds])
      : free.lowestFit(size: size, alignment: kernel.alignment, within: bounds)
    guard let fit else { throw .noRoomForKernel(size: kernel.memorySize) }
    return afterTextOffset(fit)
  }

  func afterTextOffset(_ range: PhysicalRange) -> PhysicalRange {
    PhysicalRange(range.start + kernel.textOffset, upTo: range.end)
  }

  func placeInitrd(in free: PhysicalRangeSet, kernel: PhysicalRange) -> PhysicalRange? {
    outOfTheWay(free, size: initrdSize, alignment: pageSize, initrdWindows(kernel: kernel))
  }

  /// Where the initrd of a kernel at this place may lie, the better one first.
  func initrdWindows(kernel: PhysicalRange) -> [PhysicalRange] {
    // Any window that covers the kernel will do: the highest first byte and the lowest last byte
    // follow from the kernel's ends.
    let alignment = PlacementRequest.initrdWindowAlignment
    let window = PlacementRequest.initrdWindow
    let first = kernel.start.alignedDown(to: alignment).rawValue
    guard let last = kernel.end.alignedUp(to: alignment)?.rawValue else { return [] }
    // Above the kernel, in the window that begins with it; else below, in the one that ends there.
    let above = PhysicalRange(
      start: PhysicalAddress(first), size: min(window, UInt64.max - first))
    let below = PhysicalRange(
      start: PhysicalAddress(last > window ? last - window : 0), end: PhysicalAddress(last))
    return [above, below].compactMap { $0?.intersection(bounds) }
  }

  /// The highest fit below 4 GiB in one of `windows`, else the highest in the first that has one;
  /// the lowest where everything is packed.
  ///
  /// At 4 GiB Linux parts its zones (arm64: ZONE_DMA and ZONE_DMA32 below, ZONE_NORMAL above). It
  /// hands each out from its lowest addresses on, and turns to the lower ones where the upper one
  /// is used up: so the end of what lies below is what it comes to last, however much of the
  /// memory is in use.
  private func outOfTheWay(
    _ free: PhysicalRangeSet, size: UInt64, alignment: UInt64, _ windows: [PhysicalRange]
  ) -> PhysicalRange? {
    if !isPacked {
      let lowerZones = PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(1 << 32))
      for window in windows {
        guard let part = window.intersection(lowerZones) else { continue }
        if let fit = free.highestFit(size: size, alignment: alignment, within: part) { return fit }
      }
    }
    for window in windows {
      let fit =
        isPacked
        ? free.lowestFit(size: size, alignment: alignment, within: window)
        : free.highestFit(size: size, alignment: alignment, within: window)
      if let fit { return fit }
    }
    return nil
  }

  /// Without room for the stacks there is still a stage that works alone.
  private func placeStacks(in free: PhysicalRangeSet) -> PhysicalRange? {
    guard stacksSize > 0 else { return nil }
    return outOfTheWay(free, size: stacksSize, alignment: pageSize, [bounds])
  }

  func outward(_ range: PhysicalRange) -> PhysicalRange {
    range.alignedOutward(to: pageSize) ?? range
  }
}
