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
  /// - Throws: `LabError`; with the handoff that failed.
  public func run(in workspace: Workspace) async throws -> GuestRun {
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
      // A boot takes seconds; so much for each, on a machine that has other work too.
      machine.timeLimit = .seconds(60 + 20 * length)
      let run = try await machine.run()
      let turns = run.lines.compactMap { line in
        line.hasPrefix(Userland.turn) ? Int(line.dropFirst(Userland.turn.count)) : nil
      }
      guard turns == Array(0...length), run.end == .poweredOff else {
        throw run.failure("handoff \((turns.last ?? 0) + 1) of \(length) failed")
      }
      return run
    }
  }
}
