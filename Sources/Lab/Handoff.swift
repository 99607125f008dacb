/// The lab's first scenario: a real kernel boots, loads its successor, and hands the machine over.
public struct Handoff: Sendable {
  /// The command that loads and executes.
  public enum Tool: String, Sendable, CaseIterable {
    case baton
    case kexecTools = "kexec-tools"
  }

  public var tool = Tool.baton
  /// Where the next kernel waits, as `baton --via` takes it; nil leaves that to baton.
  public var route: Route?
  /// What the first kernel reserves, as `crashkernel=` takes it; nil: nothing. Behind a space there may be
  /// another `crashkernel=`.
  public var crashKernel: String?
  /// Shell commands of the first userland before the load; kexec-tools are at hand.
  public var preparation: String?
  /// Those between load and start; beside kexec-tools, /lab/modules/dummy.ko makes network interfaces.
  public var interlude: String?
  /// Whether the next kernel's header is changed to ask for the lowest place there is.
  public var kernelMustLieLow = false
  /// The ways of `baton --via`.
  public enum Route: String, Sendable, CaseIterable {
    case auto
    case crashKernel = "crashkernel"
    case memory
    case file
  }

  /// Whether there is a stage of Baton's between the kernels.
  var hasStage: Bool { tool == .baton && route != .file }

  /// Whether every byte is checked between the two kernels.
  public var verified = true
  /// The kernel that boots first.
  public var firstKernel: String
  /// The kernel that is loaded and handed over to.
  public var secondKernel: String
  /// A person's own initial file system for the second kernel; the lab's own where it is nil.
  public var secondInitrd: String?
  /// Whether the second kernel is loaded to be started by a crash of the first, and is.
  public var crashes = false
  /// Bytes of a file in the lab's own initial file system that the second userland compares with
  /// its digest.
  public var ballast = 0
  /// Bytes that the next kernel's Image is made longer by, which it then has memory for.
  public var kernelBallast = 0
  /// Bytes that the first userland keeps in use, in whole MiB.
  public var memoryInUse = 0
  /// Shell commands that the first kernel's userland executes before it loads, the second's once it is
  /// there. Where the machine has a disk, it is mounted on /var/lib/baton by then.
  public var firstCommands = ""
  public var secondCommands = ""
  /// What else the first userland has.
  public var files: [(path: String, contents: [UInt8])] = []
  /// Modules of Debian's that both userlands have in /lab/modules, beside those that they take for the disk.
  public var modules: [String] = []
  /// What else `baton` is told when it loads.
  public var loadOptions: [String] = []
  /// What else the second kernel is told.
  public var secondArguments = ""
  /// What the machine is like; the scenario sets what it boots.
  public var machine = Machine()
  /// Set anew for each handoff, on the second kernel's command line: proof that the second kernel
  /// was told what the command line said.
  public let token = "lab.token=" + String(UInt64.random(in: 0...UInt64.max), radix: 36)

  public init(firstKernel: String, secondKernel: String) {
    self.firstKernel = firstKernel
    self.secondKernel = secondKernel
  }

  /// Debian's kernel of a series ("6.1"), to that of another, or to itself.
  public init(
    debian series: String, to next: String? = nil, in workspace: Workspace
  ) throws(LabError) {
    self.init(
      firstKernel: try workspace.kernel(series), secondKernel: try workspace.kernel(next ?? series))
  }

  /// The second kernel's command line.
  public var commandLine: String {
    machine.board.consoleArguments + (secondArguments.isEmpty ? "" : " " + secondArguments) + " "
      + token
  }

  /// The machine with what it boots, put into `directory`.
  public func prepare(in directory: String, _ workspace: Workspace) async throws -> Machine {
    let busybox = try workspace.busybox()
    var files: [(path: String, contents: [UInt8])] = []
    let others = self.files
    let load: String
    let execute: String
    let operands = "/lab/kernel --initrd=/lab/initrd --append=\"\(commandLine)\""
    switch tool {
    case .baton:
      files.append(("bin/baton", try HostFile.bytes(of: workspace.baton())))
      let via = route.map { "--via=\($0.rawValue) " } ?? ""
      let policy = machine.board.switchesOff ? "" : "--on-failure=halt "
      let options = loadOptions.map { $0 + " " }.joined()
      load =
        (preparation.map { $0 + "\n" } ?? "")
        + "baton \(verified ? "" : "-i ")\(via)\(policy)\(options)-d "
        + (crashes ? "-p " : "-l ") + operands
      execute =
        (interlude.map { $0 + "\n" } ?? "")
        + (crashes ? Userland.crash : "baton -e")
      if interlude != nil || preparation != nil { files += try Self.kexecTools(workspace) }
    case .kexecTools:
      files += try Self.kexecTools(workspace)
      load = "kexec \(verified ? "" : "-i ")" + (crashes ? "-p " : "-l ") + operands
      execute = crashes ? Userland.crash : "kexec -e"
    }
    let initrd: [UInt8]
    if let secondInitrd {
      initrd = try HostFile.bytes(of: secondInitrd)
    } else {
      var tools = tool == .baton ? Array(files.prefix(1)) : []
      if crashes { tools += try workspace.makedumpfile() }
      initrd = try await Userland.second(
        busybox: busybox, files: tools + (try modules(of: secondKernel, diskModules + modules)),
        commands: mounting + secondCommands
          + (crashes ? Userland.examination : ""), ballast: ballast)
    }
    var kernel = try HostFile.bytes(of: secondKernel)
    // An arm64 Image's header (booting.rst). Bit 3 of the flags: any 2 MiB boundary will do.
    if kernelMustLieLow { kernel[24] &= ~8 }
    if kernelBallast > 0 {
      kernel += Userland.noise(kernelBallast)
      // image_size: where the kernel has variables, it clears them itself.
      var size = UInt64(kernelBallast)
      for index in 0..<8 { size += UInt64(kernel[16 + index]) << UInt64(8 * index) }
      for index in 0..<8 {
        kernel[16 + index] = UInt8(truncatingIfNeeded: size >> UInt64(8 * index))
      }
    }
    files.append(("lab/kernel", kernel))
    files.append(("lab/initrd", initrd))
    files += others
    files += try modules(
      of: firstKernel, diskModules + modules + (interlude == nil ? [] : ["dummy"]))
    let image = try Userland.first(
      busybox: busybox, files: files, commands: mounting + settling + usingMemory + firstCommands,
      load: load,
      execute: execute)
    try HostFile.write(image.bytes, to: directory + "/first.cpio")
    var machine = machine
    machine.kernel = firstKernel
    machine.initrd = directory + "/first.cpio"
    if machine.board == .sbsaReference {
      machine.deviceTree = directory + "/tree"
      try HostFile.write(
        await SBSAReferenceTree.blob(memory: machine.memory, in: directory),
        to: directory + "/tree")
    }
    if let crashKernel { machine.commandLine += " crashkernel=" + crashKernel }
    // Unpacking, and a digest without instructions for it: a second or two for each 10 MB.
    machine.timeLimit += .seconds((ballast + kernelBallast) >> 20)
    return machine
  }

  private static func kexecTools(
    _ workspace: Workspace
  ) throws -> [(path: String, contents: [UInt8])] {
    let folder = try workspace.kexecTools()
    var files = [("bin/kexec", try HostFile.bytes(of: folder + "/kexec"))]
    for library in try HostFile.names(in: folder + "/lib") {
      files.append(("lib/" + library, try HostFile.bytes(of: folder + "/lib/" + library)))
    }
    return files
  }

  /// Where ACPI describes the machine, kernel threads still set it up when the userland begins, which
  /// would count as the load's work.
  private var settling: String { machine.platform == .firmwareACPI ? "busybox sleep 3\n" : "" }

  /// What mounts the disk, where the machine has one.
  private var mounting: String { machine.disk == nil ? "" : Userland.mountingDisk }

  /// What fills a part of memory.
  private var usingMemory: String {
    memoryInUse == 0
      ? ""
      : """
      busybox mkdir /used
      busybox mount -t tmpfs -o size=100% none /used
      busybox dd if=/dev/zero of=/used/file bs=1M count=\(memoryInUse >> 20)

      """
  }

  private var diskModules: [String] { machine.disk == nil ? [] : Userland.diskModules }

  /// Those modules that lie beside one of the lab's kernels.
  private func modules(
    of kernel: String, _ names: [String]
  ) throws(LabError) -> [(path: String, contents: [UInt8])] {
    guard !names.isEmpty, let slash = kernel.lastIndex(of: "/") else { return [] }
    let folder = String(kernel[..<slash]) + "/modules/"
    var files: [(path: String, contents: [UInt8])] = []
    // What is missing is built in.
    for name in names where HostFile.exists(folder + name + ".ko") {
      files.append(("lab/modules/" + name + ".ko", try HostFile.bytes(of: folder + name + ".ko")))
    }
    return files
  }

  /// Runs the scenario to its end.
  ///
  /// - Parameter progress: called as each phase is reached.
  /// - Throws: `LabError`; where the handoff went wrong, with the end of the guest's console.
  public func run(
    in workspace: Workspace,
    progress: @escaping @Sendable (HandoffPhase, _ elapsed: Duration) -> Void = { _, _ in }
  ) async throws -> HandoffReport {
    try await HostFile.withTemporaryDirectory { directory in
      var machine = try await prepare(in: directory, workspace)
      let log = directory + "/events"
      machine.plugin = .init(
        library: try workspace.plugin(), log: log,
        stage: hasStage ? try workspace.stage() : nil)
      let started = ContinuousClock.now
      let console = HandoffConsole(ownUserland: secondInitrd != nil) {
        progress($0, ContinuousClock.now - started)
      }
      let run = try await machine.run(line: { line, guest in
        switch console.read(line) {
        case .nothing: break
        case .type(let text): try await guest.send(text)
        case .end: await guest.end()
        }
      })
      let seen = console.seen
      if let status = seen.loadStatus, status != "0" {
        throw run.failure("\(tool.rawValue) -l failed with status \(status)")
      }
      for phase in HandoffPhase.expected(withStage: hasStage) where !seen.phases.contains(phase) {
        throw run.failure("the handoff did not reach “\(phase.rawValue)”")
      }
      guard seen.commandLine?.contains(token) == true else {
        throw run.failure(
          "the second kernel's command line is “\(seen.commandLine ?? "")”, not “\(commandLine)”")
      }
      if ballast > 0, seen.ballast != "/lab/ballast: OK" {
        throw run.failure("the second userland's ballast is not what was loaded")
      }
      return HandoffReport(
        tool: tool, verified: verified, listing: PlanListing(seen.loadLines),
        stageLine: seen.stageLine, commandLine: seen.commandLine ?? "",
        startedLevel: seen.startedLevel, processors: seen.processors,
        usesHostExtensions: seen.usesHostExtensions,
        measurement: try HandoffMeasurement(EventLog(HostFile.text(of: log)), hasStage: hasStage),
        run: run)
    }
  }
}
