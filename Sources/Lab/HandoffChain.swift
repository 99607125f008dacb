/// Handoffs in a row on one machine: each kernel's userland loads the next from what it runs from
/// itself, until as many have taken place as are wanted.
public struct HandoffChain: Sendable {
  /// The kernel that is handed over to again and again.
  public var kernel: String
  /// The handoffs.
  public var length: Int
  public var machine: Machine

  /// Debian's kernel of a series, on a machine of the lab's.
  public init(
    debian series: String, length: Int, on machine: Machine, in workspace: Workspace
  ) throws(LabError) {
    kernel = try workspace.kernel(series)
    self.length = length
    self.machine = machine
  }

  /// Runs the chain to its end.
  ///
  /// - Parameter arrived: called with the number of each kernel that has reached its userland.
  /// - Throws: `LabError`; with the handoff that failed, also where a kernel did not bring up all
  ///   CPUs, or not all of them shared the stage's work.
  public func run(
    in workspace: Workspace, arrived: @escaping @Sendable (Int) -> Void = { _ in }
  ) async throws -> GuestRun {
    try await HostFile.withTemporaryDirectory { directory in
      let image = try Userland.chain(
        busybox: workspace.busybox(),
        files: [
          ("bin/baton", try HostFile.bytes(of: workspace.baton())),
          ("lab/kernel", try HostFile.bytes(of: kernel)),
        ], length: length)
      try HostFile.write(image.bytes, to: directory + "/chain.cpio")
      var machine = machine
      machine.kernel = kernel
      machine.initrd = directory + "/chain.cpio"
      // A boot takes seconds, and longer with CPUs that the host does not have; so much for each, on a
      // machine that has other work too.
      machine.timeLimit = .seconds(60 + (20 + 5 * machine.processors) * length)
      let run = try await machine.run(line: { line, _ in
        if let turn = Self.turn(line) { arrived(turn) }
      })
      let turns = run.lines.compactMap(Self.turn)
      guard turns == Array(0...length), run.end == .poweredOff else {
        throw run.failure("handoff \((turns.last ?? 0) + 1) of \(length) failed")
      }
      try requireAllProcessors(run)
      return run
    }
  }

  private static func turn(_ line: String) -> Int? {
    line.hasPrefix(Userland.turn) ? Int(line.dropFirst(Userland.turn.count)) : nil
  }

  /// What is loaded is large enough for every CPU of the lab's machines to get its share.
  private func requireAllProcessors(_ run: GuestRun) throws {
    let count = machine.processors
    let online = run.lines.filter { $0.hasPrefix(Userland.online) }
      .map { $0.dropFirst(Userland.online.count) }
    let all = count == 1 ? "0" : "0-\(count - 1)"
    if let turn = online.firstIndex(where: { $0 != all }) {
      throw run.failure("kernel \(turn) of \(length) has CPUs \(online[turn]), not \(all)")
    }
    let shared = run.lines.count {
      $0.hasPrefix("baton: ") && $0.contains(" pieces on \(count) CPU")
    }
    guard shared == length else {
      throw run.failure("\(shared) of \(length) stages worked on \(count) CPUs")
    }
  }
}
