import ArmTranslation
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
    if !invocation.isDryRun { try LoadPermission.require(system) }
    let kernel = try openKernel()
    let header = try kernel.image.withBytes { bytes throws(BatonError) -> Arm64Image in
      do throws(ImageError) { return try Arm64Image(parsing: bytes) } catch {
        throw .image(kernel.name, error)
      }
    }
    // No initrd is one of no bytes: a file of none is refused when it is mapped.
    try kernel.withInitrd { own throws(BatonError) in
      if invocation.initrds.isEmpty {
        try load(kernel: kernel, header: header, initrd: own)
      } else {
        let joined = try JoinedInitrd.map(first: own, paths: invocation.initrds, system)
        try joined.withBytes { bytes throws(BatonError) in
          try load(kernel: kernel, header: header, initrd: bytes)
        }
      }
    }
  }

  private func load(
    kernel file: borrowing KernelFile, header: Arm64Image, initrd: RawSpan
  ) throws(BatonError) {
    let commandLine = try LoadCommandLine.resolve(
      invocation, image: file.commandLine, system: system)
    let given = try givenTree(file.deviceTree)
    let machine = try Machine(
      system, nextTree: given, haltsOnFailure: invocation.haltsOnFailure,
      console: invocation.console)
    guard let tree = given ?? machine.tree else { throw .file(Machine.treePath, .noSuchFile) }
    let lacking = try Suitability.require(header, path: imagePath, on: machine, system)
    for warning in file.warnings + machine.warnings + lacking {
      system.write("baton: warning: " + warning + "\n", to: .standardError)
    }
    var next = try NextTree(
      tree, path: given == nil ? Machine.treePath : givenTreePath, commandLine: commandLine,
      hasInitrd: initrd.byteCount > 0, system: system)

    let stage = try StageImage.embedded()
    let selection: PieceSelection =
      invocation.verifiesEverything ? .everything : .sample(count: 64)
    let treeSize = try next.serialized().count
    try Suitability.requireMemory(
      UInt64(file.image.byteCount) + UInt64(initrd.byteCount) + UInt64(treeSize), system)
    let layout = try layout(
      machine: machine, unusable: try next.reservedMemory(), stage: stage, header: header,
      initrdSize: initrd.byteCount,
      treeSize: treeSize,
      pieceCount: HandoffPlan.pieceCount(
        selection, kernel: file.image.byteCount, initrd: initrd.byteCount, deviceTree: treeSize),
      processors: WorkSharing.processors(
        limit: invocation.processorLimit,
        work: HandoffPlan.verifiedBytes(
          selection, kernel: file.image.byteCount, initrd: initrd.byteCount, deviceTree: treeSize),
        on: machine, system))
    let blob = try next.serialized(initrd: layout.placement.initrd)
    let plan = file.image.withBytes { kernel in
      // Sound: a span of bytes as the bytes that they are.
      unsafe HandoffPlan(
        layout: layout, stage: stage, kernel: kernel, initrd: initrd, deviceTree: blob.span.bytes,
        lifeline: machine.lifeline, selection: selection, digestingWith: digestImplementation,
        recordOffset: next.recordOffset)
    }
    if invocation.showsPlan || invocation.isDryRun {
      system.write(
        invocation.answersInJSON
          ? PlanListing.json(of: plan, machine: machine)
          : PlanListing.text(of: plan, machine: machine), to: .standardOutput)
    }
    if invocation.isDryRun { return }
    let older = LoadRecord.takeAway(system)
    do throws(Errno) {
      try file.image.withBytes { kernel throws(Errno) in
        try SegmentLoader.load(
          plan, kernel: kernel, initrd: initrd, deviceTree: blob, system: system)
      }
    } catch {
      LoadRecord.putBack(older, system)
      throw .load(error)
    }
    let record = LoadRecord.json(
      of: plan, invocation: invocation, image: imagePath, commandLine: commandLine, system)
    do throws(Errno) { try system.replace(LoadRecord.path, with: Array(record.utf8)) } catch {
      // It is loaded all the same. What an older load left there would be wrong now.
      do throws(Errno) { try system.remove(LoadRecord.path) } catch {}
      system.write(
        "baton: warning: " + LoadRecord.path + ": " + error.text
          + ": --status and --last will not know of this load\n", to: .standardError)
    }
  }

  private func layout(
    machine: Machine, unusable: PhysicalRangeSet, stage: StageImage, header: Arm64Image,
    initrdSize: Int, treeSize: Int,
    pieceCount: Int, processors: [UInt64]
  ) throws(BatonError) -> HandoffLayout {
    do throws(HandoffError) {
      var request =
        HandoffLayout.Request(
          stage: stage, regimes: machine.regimes, granule: machine.granule,
          ram: machine.memory.systemRAM, console: machine.lifeline.console.registers,
          redistributors: machine.redistributors,
          pieceCount: pieceCount,
          placement: PlacementRequest(
            available: machine.memory.available.subtracting(unusable),
            runningKernel: machine.memory.kernelImage,
            bounds: bounds(machine),
            pageSize: machine.granule.pageSize,
            kernel: KernelRequirements(
              textOffset: header.textOffset, memorySize: header.imageSize,
              mayLieAnywhere: header.allowsAnyPlacement, pageSize: header.pageSize),
            initrdSize: UInt64(initrdSize), deviceTreeSize: UInt64(treeSize), controlSize: 0,
            controlAlignment: StageImage.baseAlignment))
      request.processors = processors
      return try HandoffLayout(request)
    } catch {
      throw .handoff(error)
    }
  }

  /// What the options allow of what the translation tables reach, without the first page: in the
  /// stage, whose pointers are physical addresses, address 0 is no pointer. Above 2^48 only where
  /// all memory lies there: the running kernel then proves that the CPU has the larger format.
  private func bounds(_ machine: Machine) -> PhysicalRange {
    let first = machine.memory.systemRAM.ranges.first?.start ?? PhysicalAddress(0)
    let reach = AddressFormat(holding: first + 1)
    let end = min(invocation.memoryMaximum, 1 << UInt64(reach.bits))
    let start = max(invocation.memoryMinimum, machine.granule.pageSize)
    return PhysicalRange(PhysicalAddress(min(start, end)), upTo: PhysicalAddress(end))
  }

  private var digestImplementation: SHA256.Implementation {
    #if arch(arm64)
      if system.hasSHA256Instructions { return .armv8 }
    #endif
    return .portable
  }

  /// The tree that `--dtb` names, else the one that the kernel's file brings.
  private func givenTree(_ image: [UInt8]?) throws(BatonError) -> DeviceTree? {
    guard let path = invocation.deviceTree else {
      guard let image else { return nil }
      // Sound: a span of bytes as the bytes that they are.
      return try tree(unsafe image.span.bytes)
    }
    let file = try map(path)
    // A tree is copied onto the heap, where lack of memory is no error but the end: the protocol's
    // limit comes first.
    guard file.byteCount <= KernelFile.treeLimit else {
      throw .handoff(.placement(.deviceTreeTooLarge(size: UInt64(file.byteCount))))
    }
    return try file.withBytes { bytes throws(BatonError) in try tree(bytes) }
  }

  private func tree(_ bytes: RawSpan) throws(BatonError) -> DeviceTree {
    do throws(DeviceTreeError) { return try DeviceTree(parsing: bytes) } catch {
      throw .tree(givenTreePath, error)
    }
  }

  /// Where a tree that is not the running kernel's comes from, as sentences name it.
  private var givenTreePath: String {
    invocation.deviceTree ?? imagePath + ": device tree"
  }

  /// The kernel's file, taken apart and decompressed.
  private func openKernel() throws(BatonError) -> KernelFile {
    // Loading copies what was decompressed, so that no more than half of the memory can serve.
    let reading = KernelFile.Reading(
      configuration: invocation.configuration,
      limit: (system.availableMemory ?? Self.unknownMemory) / 2,
      digestImplementation: digestImplementation)
    do throws(BatonError) {
      return try KernelFile(try map(imagePath), path: imagePath, reading)
    } catch {
      // As U-Boot's bootm has it: IMAGE#CONFIGURATION, where no file is called so.
      guard case .file(_, .noSuchFile) = error, invocation.configuration == nil,
        let mark = imagePath.utf8.lastIndex(of: UInt8(ascii: "#"))
      else { throw error }
      var reading = reading
      reading.configuration = String(imagePath[imagePath.utf8.index(after: mark)...])
      let path = String(imagePath[..<mark])
      return try KernelFile(try map(path), path: path, reading)
    }
  }

  /// In bytes: what is taken to be free where the kernel does not tell.
  private static var unknownMemory: UInt64 { 2 << 30 }

  private func map(_ path: String) throws(BatonError) -> MappedFile {
    do throws(Errno) { return try system.map(path) } catch { throw .file(path, error) }
  }
}
