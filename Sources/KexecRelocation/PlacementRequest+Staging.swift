import PhysicalMemory

extension PlacementRequest {
  /// As `place()`, with as much as possible in the crash region: in place where the boot protocol
  /// allows it, else as a source that the stage moves, and what does not fit the ordinary way.
  ///
  /// No source is a destination: the region is left out of everything else.
  func place(
    stagingIn region: CrashRegion, _ free: PhysicalRangeSet
  ) throws(PlacementError) -> Placement {
    guard let guardRange = region.guardRange, let canary = region.canary(pageSize: pageSize) else {
      throw .noRoomInCrashRegion(size: region.available.size)
    }
    var free = free
    free.subtract(region.available)
    var area = region.available.intersection(bounds)
    area.subtract(guardRange)
    area.subtract(canary)
    area = area.alignedInward(to: pageSize)
    // Which comes first matters only where not everything fits; one order may then leave no room
    // elsewhere, where the other does.
    var chosen: Attempt?
    var failure = PlacementError.noRoomInCrashRegion(size: region.available.size)
    for kernelFirst in [true, false] {
      do throws(PlacementError) {
        let next = try attempt(kernelFirst: kernelFirst, region, area, free)
        if chosen.map({ next.score > $0.score }) ?? true { chosen = next }
      } catch {
        failure = error
      }
    }
    guard let best = chosen else { throw failure }
    guard best.kernelPlace != .relocated || initrdSize > 0 && best.initrdPlace != .relocated else {
      throw .noRoomInCrashRegion(size: region.available.size)
    }
    var placement = try placeRest(
      kernel: best.kernel, initrd: best.initrd, deviceTree: best.deviceTree, in: best.free)
    placement.staging = Staging(
      kernel: best.kernelPlace, initrd: best.initrdPlace, deviceTree: best.treePlace,
      guardRange: guardRange,
      guardTail: PhysicalRange(
        guardRange.start + region.guardTailOffset, upTo: guardRange.end),
      canary: canary)
    return placement
  }

  private struct Attempt {
    let kernel: PhysicalRange
    let kernelPlace: Staging.Place
    let initrd: PhysicalRange?
    let initrdPlace: Staging.Place
    let deviceTree: PhysicalRange
    let treePlace: Staging.Place
    /// What is left for the rest.
    let free: PhysicalRangeSet

    /// What the old kernel has to move weighs more than what the stage has to.
    var score: UInt64 {
      func score(_ place: Staging.Place, _ range: PhysicalRange?) -> UInt64 {
        switch place {
        case .inPlace: 4 * (range?.size ?? 0)
        case .moved: 3 * (range?.size ?? 0)
        case .relocated: 0
        }
      }
      return score(kernelPlace, kernel) + score(initrdPlace, initrd) + score(treePlace, deviceTree)
    }
  }

  private func attempt(
    kernelFirst: Bool, _ region: CrashRegion, _ area: PhysicalRangeSet, _ free: PhysicalRangeSet
  ) throws(PlacementError) -> Attempt {
    var area = area
    var free = free
    /// The lowest room in the area, which is taken then.
    func take(_ size: UInt64, _ alignment: UInt64, _ bounds: PhysicalRange) -> PhysicalRange? {
      guard size > 0, let fit = area.lowestFit(size: size, alignment: alignment, within: bounds)
      else { return nil }
      area.subtract(outward(fit))
      return fit
    }

    let initrdBefore = kernelFirst ? nil : take(initrdSize, pageSize, bounds)
    var kernelRange: PhysicalRange
    var kernelPlace = Staging.Place.inPlace
    let (size, overflow) = kernel.memorySize.addingReportingOverflow(kernel.textOffset)
    if kernel.mayLieAnywhere, !overflow, let fit = take(size, kernel.alignment, bounds) {
      kernelRange = afterTextOffset(fit)
    } else {
      kernelRange = try placeKernel(in: free)
      free.subtract(outward(kernelRange))
      kernelPlace = place(take(region.kernelFileSize, pageSize, bounds))
    }

    var initrdRange: PhysicalRange?
    var initrdPlace = Staging.Place.inPlace
    if initrdSize > 0 {
      let windows = initrdWindows(kernel: kernelRange)
      if let initrdBefore, windows.contains(where: { $0.contains(initrdBefore) }) {
        initrdRange = initrdBefore
      } else {
        for window in windows where initrdRange == nil && initrdBefore == nil {
          initrdRange = take(initrdSize, pageSize, window)
        }
      }
      if initrdRange == nil {
        guard let range = placeInitrd(in: free, kernel: kernelRange) else {
          throw .noRoomForInitrd(size: initrdSize)
        }
        free.subtract(outward(range))
        initrdRange = range
        initrdPlace = place(initrdBefore ?? take(initrdSize, pageSize, bounds))
      }
    }

    var treePlace = Staging.Place.inPlace
    let tree: PhysicalRange
    if let fit = take(deviceTreeSize, PlacementRequest.deviceTreeAlignment, bounds) {
      tree = fit
    } else {
      tree = try placeDeviceTree(in: free)
      free.subtract(outward(tree))
      treePlace = .relocated
    }
    return Attempt(
      kernel: kernelRange, kernelPlace: kernelPlace, initrd: initrdRange,
      initrdPlace: initrdPlace, deviceTree: tree, treePlace: treePlace, free: free)
  }

  private func place(_ source: PhysicalRange?) -> Staging.Place {
    source.map { .moved(from: $0) } ?? .relocated
  }
}
