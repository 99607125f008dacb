extension Handoff {
  /// Runs the scenario to its end, without counting instructions.
  public func runUnmeasured(
    in workspace: Workspace, plugin: Machine.Plugin? = nil
  ) async throws -> GuestRun {
    try await HostFile.withTemporaryDirectory { directory in
      var machine = try await prepare(in: directory, workspace)
      machine.plugin = plugin
      let switchesOff = machine.board.switchesOff
      let console = HandoffConsole(ownUserland: secondInitrd != nil) { _ in }
      return try await machine.run(line: { line, guest in
        switch console.read(line) {
        // The second userland's last word.
        case .nothing where !switchesOff && line.hasPrefix(Userland.commandLine):
          await guest.end()
        case .nothing: break
        case .type(let text): try await guest.send(text)
        case .end: await guest.end()
        }
      })
    }
  }
}
