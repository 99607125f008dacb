/// One run of relay: on which machine, how it is entered, and what it is told.
public struct RelayRun: Sendable, CustomStringConvertible {
  /// The systems by which relay relocates.
  public enum System: String, Sendable, CaseIterable {
    case off, identity, linear, contiguous, none
  }

  /// Where the relocation runs.
  public enum Level: String, Sendable, CaseIterable {
    case el1, el2, drop, vhe

    /// The exception level that the next kernel must report.
    public var exceptionLevel: Int { self == .el1 ? 1 : 2 }
  }

  public enum Granule: String, Sendable, CaseIterable {
    case size4K = "4k"
    case size16K = "16k"
    case size64K = "64k"
  }

  public var system: System
  public var level: Level
  public var granule: Granule
  public var layout = "worst"
  public var board = Machine.Board.virt
  public var platform = Machine.Platform.deviceTree
  /// The CPU, where it is not the level's own.
  public var cpu: String?
  /// RAM in MiB.
  public var memory = 2048

  public init(_ system: System, _ level: Level, _ granule: Granule = .size4K) {
    self.system = system
    self.level = level
    self.granule = granule
  }

  /// On the machine whose memory begins at 2^40.
  public static func high(_ system: System, _ level: Level) -> RelayRun {
    var run = RelayRun(system, level)
    run.board = .sbsaReference
    return run
  }

  /// Started by U-Boot.
  public static func underUBoot(_ system: System, _ level: Level) -> RelayRun {
    var run = RelayRun(system, level)
    run.platform = .uBoot
    return run
  }

  public var description: String {
    "\(system.rawValue), \(level.rawValue), \(granule.rawValue), \(layout)"
      + (cpu.map { ", " + $0 } ?? "") + (board == .sbsaReference ? ", sbsa-ref" : "")
      + (platform == .deviceTree ? "" : ", " + platform.rawValue)
  }

  /// Every system at every level with pages of 4 KiB, and every system and level once with the
  /// larger ones; memory at 2^40; and what U-Boot starts.
  public static var matrix: [RelayRun] {
    var runs: [RelayRun] = []
    for level in Level.allCases {
      for system in System.allCases { runs.append(RelayRun(system, level)) }
    }
    for granule in [Granule.size16K, .size64K] {
      for level in Level.allCases { runs.append(RelayRun(.linear, level, granule)) }
      for system in [System.off, .identity, .contiguous] {
        runs.append(RelayRun(system, .el2, granule))
      }
    }
    var typical = RelayRun(.contiguous, .el1)
    typical.layout = "typical"
    runs.append(typical)
    var best = RelayRun(.identity, .vhe)
    best.layout = "best"
    runs.append(best)
    for system in System.allCases {
      for level in [Level.el2, .drop, .vhe] { runs.append(.high(system, level)) }
    }
    runs += [.underUBoot(.linear, .el1), .underUBoot(.identity, .el2)]
    // With copy instructions, SVE and SME.
    for level in [Level.el1, .drop, .vhe] {
      var largest = RelayRun(.linear, level)
      largest.cpu = "max"
      runs.append(largest)
    }
    return runs
  }

  /// The machine that it runs on, with nothing to boot yet.
  public func machine(in workspace: Workspace) throws(LabError) -> Machine {
    var machine = Machine()
    machine.level =
      switch level {
      case .el1: .el1
      case .el2, .drop: .el2
      case .vhe: .vhe
      }
    // The first that has pages of 16 KiB.
    if granule == .size16K { machine.cpu = "neoverse-n1" }
    if let cpu { machine.cpu = cpu }
    machine.memory = memory
    machine.board = board
    machine.platform = platform
    // U-Boot waits two seconds for a key: of the guest's own time, however busy the lab is.
    machine.clocksCountInstructions = platform == .uBoot
    machine.kernel = try workspace.relay()
    machine.commandLine =
      "relay.boot=\(system.rawValue) relay.level=\(level.rawValue) "
      + "relay.granule=\(granule.rawValue) relay.layout=\(layout)"
    if board == .sbsaReference { machine.commandLine += " relay.console=pl011,0x60000000" }
    return machine
  }

  /// Takes over what QEMU was given to boot, its command line among it, and starts it. Where the
  /// RAM disk goes relay is not: it takes 68 MiB.
  private static let uBootCommands =
    "qfw load 0x40400000 0x50000000\nbooti 0x40400000 0x50000000 ${fdtcontroladdr}\n"

  /// Has relay start the kernel in `payload`.
  ///
  /// - Throws: `LabError` where the next kernel does not reach its userland at the level that relay
  ///   was entered at, or where another line than relay's and the stage's says what was done.
  public func boot(
    _ payload: RelayPayload, in workspace: Workspace, plugin: Machine.Plugin? = nil
  ) async throws -> GuestRun {
    let run = try await HostFile.withTemporaryDirectory { directory in
      var machine = try machine(in: workspace)
      machine.plugin = plugin
      var payload = payload
      if board == .sbsaReference {
        payload.deviceTree = try await SBSAReferenceTree.blob(memory: memory, in: directory)
      }
      let image = try await payload.write(to: directory)
      machine.initrd = platform == .uBoot ? try await RelayPayload.wrap(image) : image
      return try await machine.run(line: { line, guest in
        if platform == .uBoot {
          // A key stops it from trying every disk and network; the prompt follows.
          if line.hasPrefix("Net:") { try await guest.send("\n") }
          if line.hasPrefix("Hit any key") { try await guest.send(Self.uBootCommands) }
        }
        if line.hasPrefix(Userland.commandLine) { await guest.end() }
      })
    }
    guard
      run.lines.contains(where: {
        $0.hasPrefix("relay: \(system.rawValue), \(granule.rawValue), \(layout): ")
      })
    else { throw run.failure("relay did not relocate by \(system.rawValue)") }
    guard run.lines.contains(where: { $0.hasPrefix("baton: ") && $0.contains("; starting ") })
    else { throw run.failure("the stage did not start a kernel") }
    guard
      run.lines.contains(where: {
        $0.contains("CPU: All CPU(s) started at EL\(level.exceptionLevel)")
      })
    else { throw run.failure("the next kernel was not entered at EL\(level.exceptionLevel)") }
    guard run.lines.contains(where: { $0.hasPrefix(Userland.second) }) else {
      throw run.failure("the next kernel did not reach its userland")
    }
    return run
  }
}
