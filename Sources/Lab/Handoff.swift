/// The lab's first scenario: a real kernel boots, loads its successor, and hands the machine over.
public struct Handoff: Sendable {
  /// The command that loads and executes.
  public enum Tool: String, Sendable, CaseIterable {
    case baton
    case kexecTools = "kexec-tools"
  }

  public var tool = Tool.baton
  /// Whether every byte is checked between the two kernels.
  public var verified = true
  /// The kernel that boots first.
  public var firstKernel: String
  /// The kernel that is loaded and handed over to.
  public var secondKernel: String
  /// A person's own initial file system for the second kernel; the lab's own where it is nil.
  public var secondInitrd: String?
  /// What the first kernel reserves for a crash kernel (`crashkernel=`): the second kernel is then
  /// started by a crash of the first. Nil for a handoff that somebody asks for.
  public var crashReservation: String?
  /// Bytes, a multiple of four, by which the lab's own initial file system is made larger.
  public var ballast = 0
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
  public var commandLine: String { machine.board.consoleArguments + " " + token }

  /// The machine with what it boots, put into `directory`.
  public func prepare(in directory: String, _ workspace: Workspace) async throws -> Machine {
    let busybox = try workspace.busybox()
    var files: [(path: String, contents: [UInt8])] = []
    let load: String
    let execute: String
    let operands = "/lab/kernel --initrd=/lab/initrd --append=\"\(commandLine)\""
    switch tool {
    case .baton:
      files.append(("bin/baton", try HostFile.bytes(of: workspace.baton())))
      load =
        "baton \(verified ? "" : "-i ")-d \(crashReservation == nil ? "-l" : "-p") " + operands
      execute = crashReservation == nil ? "baton -e" : Userland.crash
    case .kexecTools:
      let folder = try workspace.kexecTools()
      files.append(("bin/kexec", try HostFile.bytes(of: folder + "/kexec")))
      for library in try HostFile.names(in: folder + "/lib") {
        files.append(("lib/" + library, try HostFile.bytes(of: folder + "/lib/" + library)))
      }
      load = "kexec \(verified ? "" : "-i ")-l " + operands
      execute = "kexec -e"
    }
    let initrd: [UInt8]
    if let secondInitrd {
      initrd = try HostFile.bytes(of: secondInitrd)
    } else {
      var tools = tool == .baton ? files : []
      if crashReservation != nil { tools += try workspace.makedumpfile() }
      initrd = try await Userland.second(
        busybox: busybox, files: tools, ballast: ballast,
        script: crashReservation == nil ? "" : Userland.examination)
    }
    files.append(("lab/kernel", try HostFile.bytes(of: secondKernel)))
    files.append(("lab/initrd", initrd))
    let image = try Userland.first(busybox: busybox, files: files, load: load, execute: execute)
    try HostFile.write(image.bytes, to: directory + "/first.cpio")
    var machine = machine
    machine.kernel = firstKernel
    if let crashReservation { machine.commandLine += " " + crashReservation }
    machine.initrd = directory + "/first.cpio"
    return machine
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
        stage: tool == .baton ? try workspace.stage() : nil)
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
      for phase in HandoffPhase.expected(tool) where !seen.phases.contains(phase) {
        throw run.failure("the handoff did not reach “\(phase.rawValue)”")
      }
      guard seen.commandLine?.contains(token) == true else {
        throw run.failure(
          "the second kernel's command line is “\(seen.commandLine ?? "")”, not “\(commandLine)”")
      }
      return HandoffReport(
        tool: tool, verified: verified, listing: PlanListing(seen.loadLines),
        stageLine: seen.stageLine, commandLine: seen.commandLine ?? "",
        startedLevel: seen.startedLevel, processors: seen.processors,
        usesHostExtensions: seen.usesHostExtensions,
        measurement: try HandoffMeasurement(EventLog(HostFile.text(of: log)), tool: tool),
        run: run)
    }
  }
}
