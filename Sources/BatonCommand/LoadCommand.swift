import ArmTranslation
import BootDigests
import BootFormats
import HardwareDescription
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// `--load`: everything that can fail comes before the calls that have an effect.
struct LoadCommand<System: LinuxSystem> {
  let invocation: Invocation
  let imagePath: String
  let system: System

  func run() throws(BatonError) {
    do throws(BatonError) { try load() } catch {
      if case .file(Invocation.retainedInitrd, .noSuchFile) = error { throw .initrdNotRetained }
      throw error
    }
  }

  private func load() throws(BatonError) {
    if !invocation.isDryRun {
      // What holds whatever way the load takes.
      try LoadPermission.require(byFile: true, slot: invocation.slot, system)
      try LoadLock.take(for: invocation, system)
    }
    if invocation.route == .file { return try loadByFile(because: "--via=file") }
    if invocation.route == nil, mayLoadByFile, KernelFlags.isLockedDown(system) {
      return try loadByFile(because: "this kernel is locked down")
    }
    if invocation.slot == .crash {
      do throws(BatonError) { return try loadCrashKernel() } catch {
        switch error {
        case .loadPanic(.noSuchSystemCall, left: _):
          return try loadWithoutStage(after: .load(.noSuchSystemCall))
        default: return try loadWithoutStage(after: error)
        }
      }
    }
    if !invocation.isDryRun { try LoadPermission.require(byFile: false, system) }
    do throws(BatonError) {
      try loadWithStage(avoidingCrashRegion: nil)
    } catch {
      guard invocation.route == nil else { throw error }
      switch error {
      // Nor would the ordinary way work.
      case .stagedLoad(_, .noSuchSystemCall, _), .stagedLoad(_, .permissionDenied, _),
        .stagedLoad(_, .notPermitted, _):
        try loadWithoutStage(after: error)
      case .stagedLoad(.crash, _, _), .staging(.recordUnwritable), .staging(.dumpKernelLoaded):
        warn(error.sentence)
        do throws(BatonError) { try loadWithStage(avoidingCrashRegion: error.sentence) } catch {
          try loadWithoutStage(after: error)
        }
      default: try loadWithoutStage(after: error)
      }
    }
  }

  private var mayLoadByFile: Bool { invocation.systemCall != .memory }

  /// The last way, where the kernel has no `kexec_load(2)`: it shows no crash notes then (CONFIG_KEXEC in
  /// Linux drivers/base/cpu.c), and needs none shown. Or it refuses that call: IMA where it appraises
  /// kernels (EACCES), lockdown where nothing shows it and security modules (EPERM).
  private func loadWithoutStage(after original: BatonError) throws(BatonError) {
    let reason: String
    var refusal: Errno?
    switch original {
    case .load(.noSuchSystemCall), .unload(.noSuchSystemCall),
      .stagedLoad(_, .noSuchSystemCall, isCrashSlotLoaded: _):
      reason = "this kernel was built without kexec_load"
    case .crashNotes(.absent):
      reason = "this kernel shows no crash notes, which a load by kexec_load takes"
    case .load(let error), .unload(let error), .loadPanic(let error, left: _),
      .stagedLoad(_, let error, isCrashSlotLoaded: _):
      // It was tried, and what was asked for can be had in no other way.
      guard error == .permissionDenied || error == .notPermitted, invocation.route == nil,
        !invocation.requiresVerified
      else { throw original }
      refusal = error
      reason = "this kernel refuses kexec_load"
    default: throw original
    }
    guard mayLoadByFile, invocation.stageOption == nil else { throw original }
    do throws(BatonError) {
      if case .crashNotes = original { return try loadByFile(because: reason) }
      try loadByFile(because: reason, hasWarned: true)
    } catch {
      switch error {
      case .fileLoad(.noSuchSystemCall), .fileLoadPanic(.noSuchSystemCall, left: _):
        if case .crashNotes = original { throw original }
        throw refusal == nil ? .load(.noSuchSystemCall) : original
      // What refuses both refused the first.
      case .fileLoad(.notPermitted) where refusal != nil: throw original
      case .fileLoadPanic(.notPermitted, let left):
        guard let refusal else { throw error }
        throw .loadPanic(refusal, left: left)
      default: throw error
      }
    }
  }

  func warn(_ sentence: String) {
    invocation.caller.warn(sentence, system)
  }

  /// - Parameter avoidingCrashRegion: why it is not to be used; nil: as the options say.
  private func loadWithStage(avoidingCrashRegion reason: String?) throws(BatonError) {
    try withFiles { kernel, header, initrd, initrdHasChanged throws(BatonError) in
      try load(
        kernel: kernel, header: header, initrd: initrd, avoidingCrashRegion: reason,
        initrdHasChanged: initrdHasChanged)
    }
  }

  func header(
    of kernel: borrowing MappedFile, _ name: String
  ) throws(BatonError) -> Arm64Image {
    try kernel.withBytes { bytes throws(BatonError) -> Arm64Image in
      do throws(ImageError) { return try Arm64Image(parsing: bytes) } catch {
        throw .image(name, error)
      }
    }
  }

  private func load(
    kernel file: borrowing KernelFile, header: Arm64Image, initrd: RawSpan,
    avoidingCrashRegion reason: String?, initrdHasChanged: () -> Bool
  ) throws(BatonError) {
    let prepared = try prepare(file, header, hasInitrd: initrd.byteCount > 0)
    let (machine, commandLine) = (prepared.machine, prepared.commandLine)
    var next = prepared.next
    if reason == nil { for warning in prepared.warnings { warn(warning) } }

    let stage = try StageImage.embedded()
    let selection: PieceSelection =
      invocation.verifiesEverything ? .everything : .sample(count: 64)
    let treeSize = try next.serialized().count
    let unusable = try next.reservedMemory()
    let sizes = LoadSizes(
      kernel: file.image.byteCount, initrd: initrd.byteCount, deviceTree: treeSize)
    var request = HandoffLayout.Request(
      stage: stage, regimes: machine.regimes, granule: machine.granule,
      ram: machine.memory.systemRAM, console: machine.lifeline.console.registers,
      redistributors: machine.redistributors,
      pieceCount: HandoffPlan.pieceCount(
        selection, kernel: sizes.kernel, initrd: sizes.initrd, deviceTree: sizes.deviceTree),
      placement: placement(
        machine: machine, unusable: unusable, header: header, sizes: sizes))
    let verified = HandoffPlan.verifiedBytes(
      selection, kernel: sizes.kernel, initrd: sizes.initrd, deviceTree: sizes.deviceTree)
    request.processors = processors(for: verified, on: machine)
    let (layout, choice) = try route(
      request, sizes: sizes, verified: verified, on: machine, unusable: unusable,
      commandLine: next.commandLine, avoidingCrashRegion: reason)
    let blob = try next.serialized(initrd: layout.placement.initrd)
    var progress = digesting(sizes)
    let plan = file.image.withBytes { kernel in
      // Sound: a span of bytes as the bytes that they are.
      unsafe HandoffPlan(
        layout: layout, stage: stage, kernel: kernel, initrd: initrd, deviceTree: blob.span.bytes,
        lifeline: machine.lifeline, selection: selection, digestingWith: digestImplementation,
        recordOffset: next.recordOffset,
        digested: { progress.update($0) })
    }
    progress.end()
    if invocation.showsPlan || invocation.isDryRun {
      system.write(
        invocation.answersInJSON
          ? PlanListing.json(of: plan, choice, machine: machine)
          : PlanListing.text(of: plan, choice, machine: machine), to: .standardOutput)
    }
    if invocation.isDryRun { return }
    if let path = changedFile(file, initrdHasChanged) { throw .fileChanges(path) }
    var loading = loading(sizes)
    loading.announce(atPaceOf: progress)
    defer { loading.end() }
    try file.image.withBytes { kernel throws(BatonError) in
      try commit(plan, kernel: kernel, initrd: initrd, deviceTree: blob)
    }
    loading.end()
    if plan.guardEntry == nil { removeStaged() }
    if let path = changedFile(file, initrdHasChanged) { throw takeBack(path) }
    note(
      LoadRecord.json(
        of: plan, at: LoadedPlaces(plan), by: choice, invocation: invocation, image: imagePath,
        commandLine: commandLine, system))
  }

  /// A file that is loaded as it lies in its mapping, and is not what it was when it was digested.
  func changedFile(
    _ kernel: borrowing KernelFile, _ initrdHasChanged: () -> Bool
  ) -> String? {
    if !kernel.image.isUnchanged { return imagePath }
    return initrdHasChanged() ? invocation.initrds.first : nil
  }

  /// Unloads what would not verify.
  private func takeBack(_ path: String) -> BatonError {
    do throws(Errno) {
      try SegmentLoader.empty(.normal, system)
    } catch {
      if !LoadRecord.hasStagedImage(system) { LoadRecord.forget(system) }
      return .fileChanged(path, .normal, isLoaded: true)
    }
    removeStaged()
    // What could not be removed is no dump kernel, and the record says so.
    if !LoadRecord.hasStagedImage(system) { LoadRecord.forget(system) }
    return .fileChanged(path, .normal, isLoaded: false)
  }

  /// Leaves the record of a load that is done.
  func note(_ record: String) {
    do throws(Errno) { try system.replace(LoadRecord.path, with: Array(record.utf8)) } catch {
      // It is loaded all the same. What an older load left there would be wrong now, but not what this
      // one has noted of the crash slot.
      let isNoted = LoadRecord.hasStagedImage(system)
      if !isNoted { LoadRecord.forget(system) }
      warn(
        LoadRecord.path + ": " + error.text + ": "
          + (isNoted
            ? "--status and --last will not know what was loaded"
            : "--status, -u and --last will not know of this load: baton -u -f unloads it"))
    }
  }

  /// - Parameter work: bytes that the stage moves and verifies.
  func processors(for work: UInt64, on machine: Machine) -> [UInt64] {
    WorkSharing.processors(limit: invocation.processorLimit, work: work, on: machine, system)
  }

  private func placement(
    machine: Machine, unusable: PhysicalRangeSet, header: Arm64Image, sizes: LoadSizes
  ) -> PlacementRequest {
    PlacementRequest(
      available: machine.memory.available.subtracting(unusable),
      runningKernel: machine.memory.kernelImage,
      bounds: bounds(machine),
      pageSize: machine.granule.pageSize,
      kernel: KernelRequirements(
        textOffset: header.textOffset, memorySize: header.imageSize,
        mayLieAnywhere: header.allowsAnyPlacement, pageSize: header.pageSize),
      initrdSize: UInt64(sizes.initrd), deviceTreeSize: UInt64(sizes.deviceTree), controlSize: 0,
      controlAlignment: StageImage.baseAlignment)
  }

  /// What the options allow of what the translation tables reach, without the first page: in the
  /// stage, whose pointers are physical addresses, address 0 is no pointer. Above 2^48 only where
  /// all memory lies there: the running kernel then proves that the CPU has the larger format.
  func bounds(_ machine: Machine) -> PhysicalRange {
    let first = machine.memory.systemRAM.ranges.first?.start ?? PhysicalAddress(0)
    let reach = AddressFormat(holding: first + 1)
    let end = min(invocation.memoryMaximum, 1 << UInt64(reach.bits))
    let start = max(invocation.memoryMinimum, machine.granule.pageSize)
    return PhysicalRange(PhysicalAddress(min(start, end)), upTo: PhysicalAddress(end))
  }

  var digestImplementation: SHA256.Implementation {
    #if arch(arm64)
      if system.hasSHA256Instructions { return .armv8 }
    #endif
    return .portable
  }

  /// The tree that `--dtb` names, else the one that the kernel's file brings.
  func givenTree(_ image: [UInt8]?) throws(BatonError) -> DeviceTree? {
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
  var givenTreePath: String {
    invocation.deviceTree ?? imagePath + ": device tree"
  }

  func console() throws(BatonError) -> ConsoleSpecification? {
    guard let name = invocation.serial else { return invocation.console }
    guard let console = SerialConsole.named(name, system) else { throw .serial(name) }
    return console
  }

  /// The kernel's file, taken apart and decompressed.
  func openKernel() throws(BatonError) -> KernelFile {
    // Loading copies what was decompressed, so that no more than half of the memory can serve.
    let reading = KernelFile.Reading(
      configuration: invocation.configuration,
      limit: (system.availableMemory ?? Self.unknownMemory) / 2,
      digestImplementation: digestImplementation, audience: invocation.audience, system: system)
    do throws(BatonError) {
      return try KernelFile(try mapImage(imagePath), path: imagePath, reading)
    } catch {
      // As U-Boot's bootm has it: IMAGE#CONFIGURATION, where no file is called so.
      guard case .file(_, .noSuchFile) = error, invocation.configuration == nil,
        let mark = imagePath.utf8.lastIndex(of: UInt8(ascii: "#"))
      else { throw error }
      var reading = reading
      reading.configuration = String(imagePath[imagePath.utf8.index(after: mark)...])
      let path = String(imagePath[..<mark])
      return try KernelFile(try mapImage(path), path: path, reading)
    }
  }

  /// In bytes: what is taken to be free where the kernel does not tell.
  private static var unknownMemory: UInt64 { 2 << 30 }

  /// The image's file, held to `--type`.
  func mapImage(_ path: String) throws(BatonError) -> MappedFile {
    let file = try map(path)
    if let type = invocation.type,
      !type.includes(file.withBytes { FileFormat(recognizing: $0) })
    {
      throw .wrongType(path, type)
    }
    return file
  }

  func map(_ path: String) throws(BatonError) -> MappedFile {
    try system.map(path, for: invocation.audience)
  }
}
