import BootFormats
import LinuxHost
import PhysicalMemory

/// What a load with a stage, or of a crash kernel, knows before it chooses places.
struct LoadPreparation {
  /// What was asked for; nil: what the tree says.
  let commandLine: [UInt8]?
  let machine: Machine
  /// The next kernel's tree, without places.
  let next: NextTree
  /// Sentences about what was not checked, and what the machine and the next kernel will lack.
  let warnings: [String]
}

extension LoadCommand {
  /// Calls `body` with the kernel's file, its header, the initrd, which may be of no bytes, and whether
  /// the initrd is another by now.
  func withFiles(
    _ body: (borrowing KernelFile, Arm64Image, RawSpan, () -> Bool) throws(BatonError) -> Void
  ) throws(BatonError) {
    let kernel = try openKernel()
    let header = try header(of: kernel.image, kernel.name)
    // No initrd is one of no bytes: a file of none is refused when it is mapped.
    try kernel.withInitrd { own throws(BatonError) in
      if invocation.initrds.isEmpty, own.byteCount == 0, JoinedInitrd.needsOne(system) {
        let none = [UInt8](repeating: 0, count: JoinedInitrd.emptySize)
        // Sound: a span of bytes as the bytes that they are.
        try body(kernel, header, unsafe none.span.bytes, { false })
      } else if invocation.initrds.isEmpty {
        try body(kernel, header, own, { false })
      } else {
        let joined = try JoinedInitrd.map(
          first: own, paths: invocation.initrds, for: invocation.audience, system)
        try joined.withBytes { bytes throws(BatonError) in
          try body(kernel, header, bytes, { !joined.isUnchanged })
        }
      }
    }
  }

  func prepare(
    _ file: borrowing KernelFile, _ header: Arm64Image, hasInitrd: Bool
  ) throws(BatonError) -> LoadPreparation {
    let commandLine = try LoadCommandLine.resolve(
      invocation, image: file.commandLine, system: system)
    let given = try givenTree(file.deviceTree)
    let machine = try Machine(
      system, nextTree: given, haltsOnFailure: invocation.haltsOnFailure,
      console: try console())
    guard let tree = given ?? machine.tree else { throw .file(Machine.treePath, .noSuchFile) }
    var warnings = file.warnings + machine.warnings
    warnings += try Suitability.require(
      header, path: imagePath, for: invocation.slot, on: machine, system)
    warnings += panicWarnings(commandLine ?? tree.bootArguments ?? [])
    // All that firmware's tables take is reserved there, from Linux 4.19 on.
    if invocation.slot == .normal, tree.leadsToFirmware, machine.memory.reserved.isEmpty {
      warnings.append(
        "this kernel does not say in /proc/iomem what UEFI's tables take (Linux 4.19 and later do): but for "
          + "the memory map, the next kernel may find them overwritten")
    }
    return LoadPreparation(
      commandLine: commandLine, machine: machine,
      next: try NextTree(
        tree, path: given == nil ? Machine.treePath : givenTreePath, commandLine: commandLine,
        hasInitrd: hasInitrd, system: system),
      warnings: warnings)
  }

  /// A kernel that panics without `panic=` stands still, and nobody may be there to see it.
  func panicWarnings(_ commandLine: [UInt8]) -> [String] {
    for word in commandLine.split(separator: 0x20) where word.starts(with: "panic=".utf8) {
      return []
    }
    return [
      "no panic= on the next kernel's command line: after a panic of its own it may stand still for "
        + "ever; panic=10 restarts the machine"
    ]
  }
}
