import BootDigests
import BootFormats
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// `--load-panic`: the kernel that a crash of the running one starts, in the memory that was reserved
/// for it.
extension LoadCommand {
  func loadCrashKernel() throws(BatonError) {
    if !invocation.isDryRun {
      try LoadPermission.require(byFile: false, slot: .crash, system)
      try CrashRecord.requireNothingStaged(system)
    }
    try withFiles { kernel, header, initrd, initrdHasChanged throws(BatonError) in
      try loadCrashKernel(kernel, header, initrd: initrd, initrdHasChanged: initrdHasChanged)
    }
  }

  private func loadCrashKernel(
    _ file: borrowing KernelFile, _ header: Arm64Image, initrd: RawSpan,
    initrdHasChanged: () -> Bool
  ) throws(BatonError) {
    let prepared = try prepare(file, header, hasInitrd: initrd.byteCount > 0)
    let (machine, commandLine) = (prepared.machine, prepared.commandLine)
    var next = prepared.next
    let target = try CrashTarget(machine.memory, system)
    for warning in prepared.warnings + target.warnings { warn(warning) }
    // The addresses are not known yet, but their size is.
    try next.setCrashKernel(coreHeader: target.region, usable: target.usable)
    let sizes = LoadSizes(
      kernel: file.image.byteCount, initrd: initrd.byteCount,
      deviceTree: try next.serialized().count)
    let request = request(
      header, sizes, target, unusable: try next.reservedMemory(), on: machine)

    if invocation.verifiesEverything {
      let stage = try StageImage.embedded()
      let layout = try layout(request, stage: stage, sizes, target, on: machine)
      let blob = try finish(&next, layout.placement, target)
      var progress = digesting(sizes)
      let plan = file.image.withBytes { kernel in
        // Sound: a span of bytes as the bytes that they are.
        unsafe HandoffPlan(
          layout: layout, stage: stage, kernel: kernel, initrd: initrd,
          deviceTree: blob.span.bytes, coreHeader: target.coreHeader,
          lifeline: machine.lifeline, selection: .everything,
          digestingWith: digestImplementation, recordOffset: next.recordOffset,
          digested: { progress.update($0) })
      }
      progress.end()
      show(plan.segments, plan, entry: plan.entry, machine)
      if let path = changedFile(file, initrdHasChanged) { throw .fileChanges(path) }
      try load(
        plan.segments, plan, entry: plan.entry, file.image, initrd: initrd, tree: blob, sizes,
        commandLine, atPaceOf: progress)
      if !invocation.isDryRun, let path = changedFile(file, initrdHasChanged) {
        throw takeCrashKernelBack(path)
      }
    } else {
      var request = request
      request.controlSize = DirectPlan.entrySize
      request.controlAlignment = machine.granule.pageSize
      let placement: Placement
      do throws(PlacementError) { placement = try request.place() } catch {
        throw tooSmall(target, request, error)
      }
      let blob = try finish(&next, placement, target)
      let plan = DirectPlan(
        placement: placement, pageSize: machine.granule.pageSize, kernelSize: sizes.kernel,
        initrdSize: sizes.initrd, deviceTreeSize: blob.count, coreHeader: target.coreHeader)
      show(plan.segments, nil, entry: plan.entry, machine)
      try load(
        plan.segments, nil, entry: plan.entry, file.image, initrd: initrd, tree: blob, sizes,
        commandLine)
    }
  }

  private func finish(
    _ tree: inout NextTree, _ placement: Placement, _ target: CrashTarget
  ) throws(BatonError) -> [UInt8] {
    if let header = placement.coreHeader {
      try tree.setCrashKernel(coreHeader: header, usable: target.usable)
    }
    return try tree.serialized(initrd: placement.initrd)
  }

  private func show(
    _ segments: [HandoffPlan.Segment], _ plan: HandoffPlan?, entry: PhysicalAddress,
    _ machine: Machine
  ) {
    guard invocation.showsPlan || invocation.isDryRun else { return }
    system.write(
      invocation.answersInJSON
        ? PlanListing.json(of: segments, plan, entry: entry, machine: machine)
        : PlanListing.text(of: segments, plan, entry: entry, machine: machine),
      to: .standardOutput)
  }

  /// The one call, and the note of it. The plan is nil without a stage.
  private func load(
    _ segments: [HandoffPlan.Segment], _ plan: HandoffPlan?, entry: PhysicalAddress,
    _ kernel: borrowing MappedFile, initrd: RawSpan, tree: [UInt8], _ sizes: LoadSizes,
    _ commandLine: [UInt8]?, atPaceOf digesting: Progress<System>? = nil
  ) throws(BatonError) {
    if invocation.isDryRun { return }
    var loading = loading(sizes)
    loading.announce(atPaceOf: digesting)
    defer { loading.end() }
    let older = CrashRecord.takeAway(system)
    do throws(Errno) {
      try kernel.withBytes { kernel throws(Errno) in
        try SegmentLoader.load(
          segments, entry: entry, slot: .crash, kernel: kernel, initrd: initrd, deviceTree: tree,
          system: system)
      }
    } catch {
      throw .loadPanic(error, left: older.putBack(system))
    }
    loading.end()
    noteCrashKernel(segments, at: SlotContent.text(of: segments), plan, commandLine)
  }

  /// Unloads what would not verify.
  private func takeCrashKernelBack(_ path: String) -> BatonError {
    CrashRecord.forget(system)
    do throws(Errno) { try SegmentLoader.empty(.crash, system) } catch {
      return .fileChanged(path, .crash, isLoaded: true)
    }
    return .fileChanged(path, .crash, isLoaded: false)
  }

  /// Leaves the record of a crash kernel that is loaded; the plan is nil where nothing is verified.
  ///
  /// - Parameter places: what the slot was given, nil where nothing tells.
  func noteCrashKernel(
    _ segments: [HandoffPlan.Segment], at places: String?, _ plan: HandoffPlan?,
    _ commandLine: [UInt8]?
  ) {
    LoadRecord.forgetStagedImage(system)
    let record = CrashRecord.json(
      of: segments, at: places, digest: plan?.digestText, verifiedBytes: plan?.verifiedBytes ?? 0,
      invocation: invocation, image: imagePath, commandLine: commandLine, system)
    do throws(Errno) { try system.replace(CrashRecord.path, with: Array(record.utf8)) } catch {
      // It is loaded all the same. What an older load left there would be wrong now.
      CrashRecord.forget(system)
      warn(
        CrashRecord.path + ": " + error.text + ": --status and -u will not know of this load: "
          + "baton -p -u -f unloads it")
    }
  }

  private func request(
    _ header: Arm64Image, _ sizes: LoadSizes, _ target: CrashTarget, unusable: PhysicalRangeSet,
    on machine: Machine
  ) -> PlacementRequest {
    var request = PlacementRequest(
      available: PhysicalRangeSet([target.region]).subtracting(unusable), runningKernel: nil,
      bounds: bounds(machine), pageSize: machine.granule.pageSize,
      kernel: KernelRequirements(
        textOffset: header.textOffset, memorySize: header.imageSize,
        mayLieAnywhere: header.allowsAnyPlacement, pageSize: header.pageSize),
      initrdSize: UInt64(sizes.initrd), deviceTreeSize: UInt64(sizes.deviceTree), controlSize: 0,
      controlAlignment: StageImage.baseAlignment)
    request.coreHeaderSize = UInt64(target.coreHeaderSize)
    request.isPacked = true
    return request
  }

  /// On the way to a crash kernel nothing but its own memory and the console is mapped or touched:
  /// all other memory is the dead kernel's, LPIs and their tables included, and no other CPU is
  /// woken.
  private func layout(
    _ placement: PlacementRequest, stage: StageImage, _ sizes: LoadSizes, _ target: CrashTarget,
    on machine: Machine
  ) throws(BatonError) -> HandoffLayout {
    let request = HandoffLayout.Request(
      stage: stage, regimes: machine.regimes, granule: machine.granule,
      ram: PhysicalRangeSet([target.region]), console: machine.lifeline.console.registers,
      pieceCount: HandoffPlan.pieceCount(
        .everything, kernel: sizes.kernel, initrd: sizes.initrd, deviceTree: sizes.deviceTree,
        coreHeader: target.coreHeaderSize),
      placement: placement)
    do throws(HandoffError) { return try HandoffLayout(request) } catch {
      guard case .placement(let why) = error else { throw .handoff(error) }
      throw tooSmall(target, placement, why)
    }
  }

  /// Why something found no place in the crash region: that it is too small, where it is.
  private func tooSmall(
    _ target: CrashTarget, _ request: PlacementRequest, _ error: PlacementError
  ) -> BatonError {
    switch error {
    case .deviceTreeTooLarge, .textOffsetNotPageAligned: return .handoff(.placement(error))
    default: break
    }
    // On boundaries of 2 MiB, as the parts may have to lie. The stage with its block and tables
    // takes less than that for anything that a reservation holds.
    var needed: UInt64 = 2 << 20
    for size in [
      request.kernel.textOffset &+ request.kernel.memorySize, request.initrdSize,
      request.deviceTreeSize, request.coreHeaderSize,
    ] {
      needed = needed &+ (size &+ (2 << 20 - 1)) & ~(2 << 20 - 1)
    }
    // Else it is something of the region that is taken, or `--mem-min` and `--mem-max`.
    return needed > target.region.size
      ? .crashRegionTooSmall(target.region, needed: needed) : .handoff(.placement(error))
  }
}
