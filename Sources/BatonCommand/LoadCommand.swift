import BootDigests
import BootFormats
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// `--load` and `--load-panic`: everything that can fail comes before the one call that has an
/// effect.
struct LoadCommand<System: LinuxSystem> {
  let invocation: Invocation
  let imagePath: String
  let system: System

  func run() throws(BatonError) {
    if !invocation.isDryRun { try LoadPermission.require(system, slot: invocation.slot) }
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
    let lacking = try Suitability.require(
      header, path: imagePath, for: invocation.slot, on: machine, system)
    let crash = invocation.slot == .crash ? try CrashTarget(machine.memory, system) : nil
    for warning in file.warnings + machine.warnings + lacking + (crash?.warnings ?? []) {
      warn(warning)
    }
    warnOfPanic(commandLine ?? tree.bootArguments ?? [])
    var next = try NextTree(
      tree, path: given == nil ? Machine.treePath : givenTreePath, commandLine: commandLine,
      hasInitrd: initrd.byteCount > 0, system: system)
    // The addresses are not known yet, but their size is.
    if let crash { try next.setCrashKernel(coreHeader: crash.region, usable: crash.usable) }

    let treeSize = try next.serialized().count
    let sizes = Sizes(
      kernel: file.image.byteCount, initrd: initrd.byteCount, tree: treeSize,
      coreHeader: crash?.coreHeaderSize ?? 0)
    // What goes into the crash region needs no other memory.
    if crash == nil { try Suitability.requireMemory(sizes.loaded, system) }
    let placement = placementRequest(
      header, sizes, on: machine, unusable: try next.reservedMemory(), crash)
    if let crash, !invocation.verifiesEverything {
      try loadDirectly(
        kernel: file.image, initrd: initrd, tree: &next, placement, crash, on: machine,
        commandLine: commandLine)
      return
    }

    let stage = try StageImage.embedded()
    let selection: PieceSelection =
      invocation.verifiesEverything ? .everything : .sample(count: 64)
    let layout = try layout(placement, stage: stage, selection, sizes, on: machine, crash)
    let blob = try next.serialized(layout.placement, crash)
    var progress = Progress(
      "digesting", total: sizes.loaded, isQuiet: invocation.isQuiet, system)
    let plan = file.image.withBytes { kernel in
      // Sound: a span of bytes as the bytes that they are.
      unsafe HandoffPlan(
        layout: layout, stage: stage, kernel: kernel, initrd: initrd, deviceTree: blob.span.bytes,
        coreHeader: crash?.coreHeader ?? [], lifeline: machine.lifeline, selection: selection,
        digestingWith: digestImplementation, recordOffset: next.recordOffset,
        digested: { progress.update($0) })
    }
    progress.end()
    if invocation.showsPlan || invocation.isDryRun {
      system.write(
        invocation.answersInJSON
          ? PlanListing.json(of: plan, machine: machine)
          : PlanListing.text(of: plan, machine: machine), to: .standardOutput)
    }
    if invocation.isDryRun { return }
    try load(
      plan.segments, entry: plan.entry, kernel: file.image, initrd: initrd, tree: blob,
      record: LoadRecord.json(
        of: plan.segments, digest: plan.digestText, verifiedBytes: plan.verifiedBytes,
        invocation: invocation, image: imagePath, commandLine: commandLine, system))
  }

  /// A crash kernel without verification: straight in.
  private func loadDirectly(
    kernel: borrowing MappedFile, initrd: RawSpan, tree: inout NextTree,
    _ request: PlacementRequest, _ crash: CrashTarget, on machine: Machine, commandLine: [UInt8]?
  ) throws(BatonError) {
    var request = request
    request.controlSize = DirectPlan.entrySize
    request.controlAlignment = machine.granule.pageSize
    let placement: Placement
    do throws(PlacementError) { placement = try request.place() } catch {
      throw tooSmall(crash, request, error)
    }
    let blob = try tree.serialized(placement, crash)
    let plan = DirectPlan(
      placement: placement, pageSize: machine.granule.pageSize, kernelSize: kernel.byteCount,
      initrdSize: initrd.byteCount, deviceTreeSize: blob.count, coreHeader: crash.coreHeader)
    if invocation.showsPlan || invocation.isDryRun {
      system.write(
        invocation.answersInJSON
          ? PlanListing.json(of: plan, machine: machine)
          : PlanListing.text(of: plan, machine: machine), to: .standardOutput)
    }
    if invocation.isDryRun { return }
    try load(
      plan.segments, entry: plan.entry, kernel: kernel, initrd: initrd, tree: blob,
      record: LoadRecord.json(
        of: plan.segments, digest: nil, verifiedBytes: 0, invocation: invocation,
        image: imagePath, commandLine: commandLine, system))
  }

  /// The one call, and the note of it.
  private func load(
    _ segments: [HandoffPlan.Segment], entry: PhysicalAddress, kernel: borrowing MappedFile,
    initrd: RawSpan, tree: [UInt8], record: String
  ) throws(BatonError) {
    let older = LoadRecord.takeAway(invocation.slot, system)
    var progress = Progress(
      "loading", total: UInt64(kernel.byteCount + initrd.byteCount), isQuiet: invocation.isQuiet,
      system)
    progress.announce()
    defer { progress.end() }
    do throws(Errno) {
      try kernel.withBytes { kernel throws(Errno) in
        try SegmentLoader.load(
          segments, entry: entry, slot: invocation.slot, kernel: kernel, initrd: initrd,
          deviceTree: tree, system: system)
      }
    } catch {
      if invocation.slot == .normal {
        LoadRecord.putBack(older, .normal, system)
        throw .load(error)
      }
      // What the slot held before may be gone even so.
      let isLoaded = KernelFlags.isLoaded(.crash, system)
      if isLoaded { LoadRecord.putBack(older, .crash, system) }
      throw .loadPanic(error, isLoaded: isLoaded)
    }
    let path = LoadRecord.path(invocation.slot)
    do throws(Errno) { try system.replace(path, with: Array(record.utf8)) } catch {
      // It is loaded all the same. What an older load left there would be wrong now.
      do throws(Errno) { try system.remove(path) } catch {}
      warn(path + ": " + error.text + ": --status and --last will not know of this load")
    }
  }

  /// A kernel that panics without `panic=` stands still, and nobody may be there to see it.
  private func warnOfPanic(_ commandLine: [UInt8]) {
    for word in commandLine.split(separator: 0x20) where word.starts(with: "panic=".utf8) { return }
    warn(
      "no panic= on the next kernel's command line: after a panic of its own it may stand still for "
        + "ever; panic=10 restarts the machine")
  }

  private func warn(_ sentence: String) {
    system.write("baton: warning: " + sentence + "\n", to: .standardError)
  }

  /// How much there is of each, in bytes.
  private struct Sizes {
    let kernel: Int
    let initrd: Int
    let tree: Int
    /// 0 where there is none.
    let coreHeader: Int

    var loaded: UInt64 { UInt64(kernel) + UInt64(initrd) + UInt64(tree) }
  }

  private func placementRequest(
    _ header: Arm64Image, _ sizes: Sizes, on machine: Machine, unusable: PhysicalRangeSet,
    _ crash: CrashTarget?
  ) -> PlacementRequest {
    let available = crash.map { PhysicalRangeSet([$0.region]) } ?? machine.memory.available
    var request = PlacementRequest(
      available: available.subtracting(unusable),
      runningKernel: crash == nil ? machine.memory.kernelImage : nil,
      bounds: bounds(machine),
      pageSize: machine.granule.pageSize,
      kernel: KernelRequirements(
        textOffset: header.textOffset, memorySize: header.imageSize,
        mayLieAnywhere: header.allowsAnyPlacement, pageSize: header.pageSize),
      initrdSize: UInt64(sizes.initrd), deviceTreeSize: UInt64(sizes.tree), controlSize: 0,
      controlAlignment: StageImage.baseAlignment)
    request.coreHeaderSize = UInt64(sizes.coreHeader)
    request.isPacked = crash != nil
    return request
  }

  private func layout(
    _ placement: PlacementRequest, stage: StageImage, _ selection: PieceSelection, _ sizes: Sizes,
    on machine: Machine, _ crash: CrashTarget?
  ) throws(BatonError) -> HandoffLayout {
    // On the way to a crash kernel nothing but its own memory and the console is mapped or
    // touched: all other memory is the dead kernel's, LPIs and their tables included, and no
    // other CPU is woken.
    var request = HandoffLayout.Request(
      stage: stage, regimes: machine.regimes, granule: machine.granule,
      ram: crash.map { PhysicalRangeSet([$0.region]) } ?? machine.memory.systemRAM,
      console: machine.lifeline.console.registers,
      redistributors: crash == nil ? machine.redistributors : [],
      pieceCount: HandoffPlan.pieceCount(
        selection, kernel: sizes.kernel, initrd: sizes.initrd, deviceTree: sizes.tree,
        coreHeader: sizes.coreHeader),
      placement: placement)
    if crash == nil {
      request.processors = WorkSharing.processors(
        limit: invocation.processorLimit,
        work: HandoffPlan.verifiedBytes(
          selection, kernel: sizes.kernel, initrd: sizes.initrd, deviceTree: sizes.tree),
        on: machine, system)
    }
    do throws(HandoffError) { return try HandoffLayout(request) } catch {
      guard let crash, case .placement(let why) = error else { throw .handoff(error) }
      throw tooSmall(crash, placement, why)
    }
  }

  /// Why something found no place in the crash region: that it is too small, where it is.
  private func tooSmall(
    _ crash: CrashTarget, _ request: PlacementRequest, _ error: PlacementError
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
    return needed > crash.region.size
      ? .crashRegionTooSmall(crash.region, needed: needed) : .handoff(.placement(error))
  }

  /// What the options allow of what the translation tables reach, without the first page: in the
  /// stage, whose pointers are physical addresses, address 0 is no pointer.
  private func bounds(_ machine: Machine) -> PhysicalRange {
    let end = min(invocation.memoryMaximum, 1 << 48)
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
