import BootDigests
import BootFormats
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// `--load`: everything that can fail comes before the one call that has an effect.
struct LoadCommand<System: LinuxSystem> {
  let invocation: Invocation
  let imagePath: String
  let system: System

  func run() throws(BatonError) {
    if !invocation.isDryRun { try requirePermission() }
    let kernel = try map(imagePath)
    let header = try kernel.withBytes { bytes throws(BatonError) -> Arm64Image in
      do throws(ImageError) { return try Arm64Image(parsing: bytes) } catch {
        throw .image(imagePath, error)
      }
    }
    // No initrd is one of no bytes: a file of none is refused when it is mapped.
    if let path = invocation.initrd {
      let initrd = try map(path)
      try initrd.withBytes { bytes throws(BatonError) in
        try load(kernel: kernel, header: header, initrd: bytes)
      }
    } else {
      try load(kernel: kernel, header: header, initrd: RawSpan())
    }
  }

  private func load(
    kernel: borrowing MappedFile, header: Arm64Image, initrd: RawSpan
  ) throws(BatonError) {
    let commandLine = try LoadCommandLine.resolve(invocation, system: system)
    let given = try givenTree()
    let machine = try Machine(
      system, nextTree: given, haltsOnFailure: invocation.haltsOnFailure,
      console: invocation.console)
    for warning in machine.warnings {
      system.write("baton: warning: " + warning + "\n", to: .standardError)
    }
    guard let tree = given ?? machine.tree else { throw .file(Machine.treePath, .noSuchFile) }
    var next = try NextTree(
      tree, path: invocation.deviceTree ?? Machine.treePath, commandLine: commandLine,
      hasInitrd: initrd.byteCount > 0, system: system)

    let stage = try StageImage.embedded()
    let selection: PieceSelection =
      invocation.verifiesEverything ? .everything : .sample(count: 64)
    let treeSize = try next.serialized().count
    let layout = try layout(
      machine: machine, stage: stage, header: header, initrdSize: initrd.byteCount,
      treeSize: treeSize,
      pieceCount: HandoffPlan.pieceCount(
        selection, kernel: kernel.byteCount, initrd: initrd.byteCount, deviceTree: treeSize))
    let blob = try next.serialized(initrd: layout.placement.initrd)
    let plan = kernel.withBytes { kernel in
      unsafe HandoffPlan(
        layout: layout, stage: stage, kernel: kernel, initrd: initrd, deviceTree: blob.span.bytes,
        lifeline: machine.lifeline, selection: selection, digestingWith: digestImplementation)
    }
    if invocation.showsPlan || invocation.isDryRun {
      system.write(PlanListing.text(of: plan, machine: machine), to: .standardOutput)
    }
    if invocation.isDryRun { return }
    do throws(Errno) {
      try kernel.withBytes { kernel throws(Errno) in
        try SegmentLoader.load(
          plan, kernel: kernel, initrd: initrd, deviceTree: blob, system: system)
      }
    } catch {
      throw .load(error)
    }
  }

  private func layout(
    machine: Machine, stage: StageImage, header: Arm64Image, initrdSize: Int, treeSize: Int,
    pieceCount: Int
  ) throws(BatonError) -> HandoffLayout {
    do throws(HandoffError) {
      return try HandoffLayout(
        HandoffLayout.Request(
          stage: stage, regimes: machine.regimes, granule: machine.granule,
          ram: machine.memory.systemRAM, console: machine.lifeline.console.registers,
          redistributors: machine.redistributors,
          pieceCount: pieceCount,
          placement: PlacementRequest(
            available: machine.memory.available, runningKernel: machine.memory.kernelImage,
            // What the translation tables reach.
            bounds: PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(1 << 48)),
            pageSize: machine.granule.pageSize,
            kernel: KernelRequirements(
              textOffset: header.textOffset, memorySize: header.imageSize,
              mayLieAnywhere: header.allowsAnyPlacement),
            initrdSize: UInt64(initrdSize), deviceTreeSize: UInt64(treeSize), controlSize: 0,
            controlAlignment: StageImage.baseAlignment)))
    } catch {
      throw .handoff(error)
    }
  }

  private var digestImplementation: SHA256.Implementation {
    #if arch(arm64)
      if system.hasSHA256Instructions { return .armv8 }
    #endif
    return .portable
  }

  /// The refusals that the kernel would give too, but without a word of why.
  private func requirePermission() throws(BatonError) {
    guard KernelFlags.isThere("/sys/kernel/kexec_loaded", system) else { throw .noKexec }
    guard system.isRoot else { throw .notRoot }
    if KernelFlags.isSet("/proc/sys/kernel/kexec_load_disabled", system) { throw .loadDisabled }
    if KernelFlags.isLockedDown(system) { throw .lockedDown }
  }

  private func givenTree() throws(BatonError) -> DeviceTree? {
    guard let path = invocation.deviceTree else { return nil }
    let file = try map(path)
    return try file.withBytes { bytes throws(BatonError) -> DeviceTree in
      do throws(DeviceTreeError) { return try DeviceTree(parsing: bytes) } catch {
        throw .tree(path, error)
      }
    }
  }

  private func map(_ path: String) throws(BatonError) -> MappedFile {
    do throws(Errno) { return try system.map(path) } catch { throw .file(path, error) }
  }
}
