import BootFormats
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// Bytes of what is loaded; an initrd of none is none.
struct LoadSizes {
  let kernel: Int
  let initrd: Int
  let deviceTree: Int

  var sum: UInt64 { UInt64(kernel) + UInt64(initrd) + UInt64(deviceTree) }
}

extension LoadCommand {
  /// Lays everything out, by the way of least moving that the machine and the options leave open.
  ///
  /// - Parameters:
  ///   - request: without a crash region; its CPUs are those for what is verified.
  ///   - verified: in bytes.
  ///   - unusable: what the next tree reserves.
  ///   - commandLine: the next kernel's.
  ///   - refusal: why the crash region is not to be used; nil: as the options say.
  func route(
    _ request: HandoffLayout.Request, sizes: LoadSizes, verified: UInt64, on machine: Machine,
    unusable: PhysicalRangeSet, commandLine: [UInt8], avoidingCrashRegion refusal: String?
  ) throws(BatonError) -> (HandoffLayout, RouteChoice) {
    var reason = refusal ?? "--via=memory"
    if refusal == nil, invocation.route != .memory {
      let staged = try stage(
        request, sizes: sizes, verified: verified, on: machine, unusable: unusable,
        commandLine: commandLine)
      switch staged {
      case .laidOut(let layout, let choice): return (layout, choice)
      case .impossible(let obstacle):
        if invocation.route == .crashKernel { throw .staging(obstacle) }
        reason = obstacle.sentence
      }
    }
    try Suitability.requireMemory(sizes.sum, system)
    return (try layOut(request), RouteChoice(.memory, because: reason))
  }

  private enum Staged {
    case laidOut(HandoffLayout, RouteChoice)
    case impossible(StagingObstacle)
  }

  private func stage(
    _ request: HandoffLayout.Request, sizes: LoadSizes, verified: UInt64, on machine: Machine,
    unusable: PhysicalRangeSet, commandLine: [UInt8]
  ) throws(BatonError) -> Staged {
    let memory = machine.memory
    let wanted = request.placement
    let needed = CrashRegion.sizeNeeded(
      kernel: wanted.kernel, initrdSize: wanted.initrdSize, deviceTreeSize: wanted.deviceTreeSize,
      stage: request.stage)
    let found: PhysicalRange?
    do throws(Errno) { found = try StagingArea.region(of: memory, system) } catch {
      return .impossible(.busy(seconds: BusyKernel.patience / 1000))
    }
    guard let region = found else { return .impossible(.noRegion(needed: needed)) }
    let tooSmall = StagingObstacle.tooSmall(size: region.size, needed: needed)
    var free = PhysicalRangeSet([region])
    free.subtract(memory.reserved)
    free.subtract(unusable)
    var request = request
    request.placement.crashRegion = CrashRegion(
      available: free, stage: request.stage, kernelFileSize: UInt64(sizes.kernel))
    var layout: HandoffLayout
    do throws(BatonError) {
      layout = try layOut(request)
      // How much the stage has to move is known only now, and is work for more CPUs.
      if let moved = layout.placement.staging?.movedSize, moved > 0 {
        request.processors = processors(for: verified + moved, on: machine)
        layout = try layOut(request)
      }
    } catch {
      if case .handoff(.placement(.noRoomInCrashRegion)) = error { return .impossible(tooSmall) }
      throw error
    }
    guard let staging = layout.placement.staging else { return .impossible(tooSmall) }
    if LoadRecord.crashSlot(system) == .dumpKernel, !invocation.replacesCrashKernel {
      return .impossible(.dumpKernelLoaded)
    }
    if let limit = spentLimit { return .impossible(.loadsUsedUp(limit)) }
    let moved = relocatedBytes(staging, sizes)
    if invocation.route == nil, moved > sizes.sum / 2 { return .impossible(tooSmall) }
    try Suitability.requireMemory(moved, system)
    if let fixed = CrashKernelArgument.fixedRange(in: commandLine),
      inPlace(layout.placement, staging).overlaps(fixed)
    {
      if invocation.route == nil { return .impossible(.collision(fixed)) }
      warn(StagingObstacle.collision(fixed).sentence + ": that kernel will have no crash region")
    }
    if moved > 0 { warn(tooSmall.sentence + "; the rest goes the ordinary way") }
    return .laidOut(layout, RouteChoice(staging))
  }

  /// The sysctl that leaves too few calls for both slots; nil: there are enough.
  private var spentLimit: StaticString? {
    // The normal slot is unloaded first where it holds something, and that counts.
    let calls: UInt64 = KernelFlags.isLoaded(.normal, system) ? 2 : 1
    if let left = KernelFlags.loadsLeft(.normal, system), left < calls {
      return "kexec_load_limit_reboot"
    }
    return KernelFlags.loadsLeft(.crash, system) == 0 ? "kexec_load_limit_panic" : nil
  }

  private func layOut(_ request: HandoffLayout.Request) throws(BatonError) -> HandoffLayout {
    do throws(HandoffError) { return try HandoffLayout(request) } catch { throw .handoff(error) }
  }

  private func relocatedBytes(_ staging: Staging, _ sizes: LoadSizes) -> UInt64 {
    var sum = 0
    if staging.kernel == .relocated { sum += sizes.kernel }
    if staging.initrd == .relocated { sum += sizes.initrd }
    if staging.deviceTree == .relocated { sum += sizes.deviceTree }
    return UInt64(sum)
  }

  /// The parts of the region that the next kernel itself will find in use.
  private func inPlace(_ placement: Placement, _ staging: Staging) -> PhysicalRangeSet {
    var result = PhysicalRangeSet()
    if staging.kernel == .inPlace { result.insert(placement.kernel) }
    if staging.initrd == .inPlace, let initrd = placement.initrd { result.insert(initrd) }
    if staging.deviceTree == .inPlace { result.insert(placement.deviceTree) }
    return result
  }

  /// The calls that have an effect, in the one order that is safe: at no moment does a stage that is
  /// loaded rely on memory that somebody else owns.
  func commit(
    _ plan: HandoffPlan, kernel: RawSpan, initrd: RawSpan, deviceTree: [UInt8]
  ) throws(BatonError) {
    guard plan.guardEntry != nil else {
      let older = LoadRecord.takeAway(before: LoadedPlaces(plan), system)
      do throws(Errno) {
        try SegmentLoader.load(
          plan, slot: .normal, kernel: kernel, initrd: initrd, deviceTree: deviceTree,
          system: system)
      } catch {
        LoadRecord.putBack(older, system)
        throw .load(error)
      }
      return
    }
    let before = LoadRecord.crashSlot(system)
    // Somebody may have loaded one while this was prepared.
    if before == .dumpKernel, !invocation.replacesCrashKernel { throw .staging(.dumpKernelLoaded) }
    // If this is killed from here on, it is known what of Baton's may lie in the slots.
    let older: [UInt8]?
    do throws(Errno) {
      older = try LoadRecord.replaceByIntent(of: LoadedPlaces(plan), system)
    } catch {
      throw .staging(.recordUnwritable(error))
    }
    do throws(Errno) {
      if KernelFlags.isLoaded(.normal, system) { try SegmentLoader.unload(.normal, system) }
    } catch {
      LoadRecord.putBack(older, system)
      throw .unload(error)
    }
    do throws(Errno) {
      try SegmentLoader.load(
        plan, slot: .crash, kernel: kernel, initrd: initrd, deviceTree: deviceTree, system: system)
    } catch {
      // The kernel frees what was there before it looks at this, but not before all its refusals.
      let isLoaded = KernelFlags.isLoaded(.crash, system)
      if !isLoaded || !before.isBatons { LoadRecord.forget(system) }
      if !isLoaded { CrashRecord.forget(system) }
      throw .stagedLoad(.crash, error, isCrashSlotLoaded: isLoaded)
    }
    CrashRecord.forget(system)
    do throws(Errno) {
      try SegmentLoader.load(
        plan, slot: .normal, kernel: kernel, initrd: initrd, deviceTree: deviceTree, system: system)
    } catch {
      let failure = error
      do throws(Errno) { try SegmentLoader.unload(.crash, system) } catch {}
      // Else the intent stays: what is there is no dump kernel.
      let isLoaded = KernelFlags.isLoaded(.crash, system)
      if !isLoaded { LoadRecord.forget(system) }
      throw .stagedLoad(.normal, failure, isCrashSlotLoaded: isLoaded)
    }
  }

  /// What an earlier load staged is nobody's any more once another load has taken the normal slot.
  func removeStaged() {
    guard LoadRecord.hasStagedImage(system) else { return }
    do throws(Errno) { try SegmentLoader.empty(.crash, system) } catch {
      warn("what an earlier load staged stays in the crashkernel region: " + error.text)
    }
  }

  /// `kexec_file_load(2)`: the kernel reads, places and moves everything by itself.
  ///
  /// - Parameters:
  ///   - reason: why it goes this way.
  ///   - hasWarned: whether another way was tried before, and said what there is to say of the image.
  func loadByFile(because reason: String, hasWarned: Bool = false) throws(BatonError) {
    if let option = invocation.stageOption { throw .lockedDownWith(option: option) }
    if invocation.requiresVerified { throw .cannotVerify }
    let slot = invocation.slot
    if !invocation.isDryRun {
      try LoadPermission.require(byFile: true, slot: slot, system)
      if slot == .crash { try CrashRecord.requireNothingStaged(system) }
    }
    if slot == .crash, KernelFlags.line("/sys/kernel/kexec_crash_size", system) == "0" {
      throw .noCrashRegion
    }
    let kernel = try mapImage(imagePath)
    let format = kernel.withBytes { FileFormat(recognizing: $0) }
    switch format {
    case .deviceTree, .peExecutable, .efiZboot: throw .notForFileLoad(imagePath)
    default: if Compression(format) != nil { throw .notForFileLoad(imagePath) }
    }
    let header = try header(of: kernel, imagePath)
    var size = UInt64(kernel.byteCount)
    if let initrd = invocation.initrds.first { size += UInt64(try map(initrd).byteCount) }
    let tree = try Machine.runningTree(system)
    if slot == .normal, let cpu = Suitability.stayingCPU(tree, system) {
      throw .cpuStays(cpu.name, possible: cpu.possible)
    }
    let lacking = try Suitability.pageSizeWarnings(
      header, path: imagePath, runningOn: Granule(pageSize: system.pageSize),
      otherwise: "it stops without a word", system)
    let commandLine = try LoadCommandLine.resolve(invocation, system: system)
    if !hasWarned {
      for warning in lacking + panicWarnings(commandLine ?? tree?.bootArguments ?? []) {
        warn(warning)
      }
    }
    let choice = RouteChoice(.file, because: reason)
    let warning = reason + ": by kexec_file_load(2) nothing is verified between the kernels"
    if invocation.showsPlan || invocation.isDryRun {
      system.write(
        invocation.answersInJSON ? PlanListing.json(of: choice) : PlanListing.text(of: choice),
        to: .standardOutput)
    }
    if invocation.isDryRun {
      if invocation.route == nil { warn(warning) }
      return
    }
    var loading = Progress("loading", total: size, for: invocation.audience, system)
    loading.announce()
    defer { loading.end() }
    // Finding out where the kernel has its images takes long. It is known before, so that there is
    // hardly time for somebody else's load between this one and the look at it.
    _ = system.loadedImage(in: slot)
    let older =
      slot == .normal ? LoadRecord.takeAway(before: .chosenByKernel, system) : nil
    let olderCrash = slot == .crash ? CrashRecord.takeAway(system) : nil
    let lack: String?
    do throws(Errno) {
      lack = try callFileLoad(commandLine ?? tree?.bootArguments ?? [])
    } catch {
      if let olderCrash { throw .fileLoadPanic(error, left: olderCrash.putBack(system)) }
      LoadRecord.putBack(older, system)
      throw .fileLoad(error)
    }
    let places = SlotContent.shown(in: slot, system)
    loading.end()
    if let lack { warn(lack) }
    if invocation.route == nil { warn(warning) }
    if slot == .crash { return noteCrashKernel([], at: places, nil, commandLine) }
    removeStaged()
    note(
      LoadRecord.json(
        of: nil, at: LoadedPlaces(normal: places, crash: ""), by: choice, invocation: invocation,
        image: imagePath,
        commandLine: commandLine, system))
  }

  /// The call, with an initrd of nothing where none is given and one is needed.
  ///
  /// - Returns: a sentence, where the running kernel does not take such an initrd and the next one has none.
  private func callFileLoad(_ commandLine: [UInt8]) throws(Errno) -> String? {
    var initrd = FileLoadInitrd.none
    if let path = invocation.initrds.first {
      initrd = .file(path)
    } else if JoinedInitrd.needsOne(system) {
      initrd = .zeros(JoinedInitrd.emptySize)
    }
    do throws(Errno) {
      try system.kexecFileLoad(
        kernel: imagePath, initrd: initrd, commandLine: commandLine, slot: invocation.slot)
      return nil
    } catch {
      // A policy that wants initrds signed, or on one file system; a kernel without memfd_create(2).
      let mayBeForTheInitrd =
        error == .permissionDenied || error == .notPermitted || error == .noSuchSystemCall
      guard case .zeros = initrd, mayBeForTheInitrd else { throw error }
      try system.kexecFileLoad(
        kernel: imagePath, initrd: .none, commandLine: commandLine, slot: invocation.slot)
      return "the running kernel takes no empty initrd (" + error.text
        + "): the next one may look for the boot loader's, where something else lies by now"
    }
  }
}
