import BootDigests
import BootFormats
import HardwareDescription
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// `--load`: everything that can fail comes before the one call that has an effect.
struct LoadCommand<System: LinuxSystem> {
  let invocation: Invocation
  let imagePath: String
  let system: System

  func run() throws(BatonError) {
    if invocation.systemCall == .file {
      throw .usage(
        .meaningless("--kexec-file-syscall", why: "this baton loads by kexec_load(2) only"))
    }
    if invocation.slot == .crash {
      throw .usage(.meaningless("--load-panic", why: "this baton loads no crash kernels"))
    }
    if !invocation.isDryRun { try LoadPermission.require(system) }
    let kernel = try mapKernel()
    let header = try kernel.withBytes { bytes throws(BatonError) -> Arm64Image in
      do throws(ImageError) { return try Arm64Image(parsing: bytes) } catch {
        throw .image(imagePath, error)
      }
    }
    // No initrd is one of no bytes: a file of none is refused when it is mapped.
    if let path = invocation.reusesInitrd ? Self.retainedInitrd : invocation.initrd {
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
      console: try console())
    guard let tree = given ?? machine.tree else { throw .file(Machine.treePath, .noSuchFile) }
    let lacking = try Suitability.require(header, path: imagePath, on: machine, system)
    for warning in machine.warnings + lacking {
      system.write("baton: warning: " + warning + "\n", to: .standardError)
    }
    var next = try NextTree(
      tree, path: invocation.deviceTree ?? Machine.treePath, commandLine: commandLine,
      hasInitrd: initrd.byteCount > 0, system: system)

    let stage = try StageImage.embedded()
    let selection: PieceSelection =
      invocation.verifiesEverything ? .everything : .sample(count: 64)
    let treeSize = try next.serialized().count
    try Suitability.requireMemory(
      UInt64(kernel.byteCount) + UInt64(initrd.byteCount) + UInt64(treeSize), system)
    let layout = try layout(
      machine: machine, unusable: try next.reservedMemory(), stage: stage, header: header,
      initrdSize: initrd.byteCount,
      treeSize: treeSize,
      pieceCount: HandoffPlan.pieceCount(
        selection, kernel: kernel.byteCount, initrd: initrd.byteCount, deviceTree: treeSize),
      processors: WorkSharing.processors(
        limit: invocation.processorLimit,
        work: HandoffPlan.verifiedBytes(
          selection, kernel: kernel.byteCount, initrd: initrd.byteCount, deviceTree: treeSize),
        on: machine, system))
    let blob = try next.serialized(initrd: layout.placement.initrd)
    let plan = kernel.withBytes { kernel in
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
      try kernel.withBytes { kernel throws(Errno) in
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

  private func givenTree() throws(BatonError) -> DeviceTree? {
    guard let path = invocation.deviceTree else { return nil }
    let file = try map(path)
    // A tree is copied onto the heap, where lack of memory is no error but the end: the protocol's
    // limit comes first.
    guard file.byteCount <= Self.treeFileLimit else {
      throw .handoff(.placement(.deviceTreeTooLarge(size: UInt64(file.byteCount))))
    }
    return try file.withBytes { bytes throws(BatonError) -> DeviceTree in
      do throws(DeviceTreeError) { return try DeviceTree(parsing: bytes) } catch {
        throw .tree(path, error)
      }
    }
  }

  private func console() throws(BatonError) -> ConsoleSpecification? {
    guard let name = invocation.serial else { return invocation.console }
    guard let console = SerialConsole.named(name, system) else { throw .serial(name) }
    return console
  }

  /// What a kernel shows of the initrd that retain_initrd has kept.
  private static var retainedInitrd: String { "/sys/firmware/initrd" }

  /// The kernel's file, decompressed where it is compressed.
  private func mapKernel() throws(BatonError) -> MappedFile {
    let file = try map(imagePath)
    let format = file.withBytes { FileFormat(recognizing: $0) }
    if let type = invocation.type, !type.includes(format) { throw .wrongType(imagePath, type) }
    guard format == .gzip else { return file }
    return try file.withBytes { bytes throws(BatonError) -> MappedFile in
      do throws(DecompressionError) {
        return try MappedFile.decompressing(
          bytes, as: .gzip, limit: system.availableMemory ?? Self.unknownMemoryLimit)
      } catch {
        throw .compressed(imagePath, .gzip, error)
      }
    }
  }

  /// In bytes: what a compressed kernel may become where the kernel does not tell its free memory.
  private static var unknownMemoryLimit: UInt64 { 1 << 30 }

  /// In bytes: room for a tree that shrinks when it is written anew.
  private static var treeFileLimit: Int { 2 * Int(PlacementRequest.maximumDeviceTreeSize) }

  private func map(_ path: String) throws(BatonError) -> MappedFile {
    do throws(Errno) { return try system.map(path) } catch {
      if path == Self.retainedInitrd, error == .noSuchFile { throw .initrdNotRetained }
      throw .file(path, error)
    }
  }
}
