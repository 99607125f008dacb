import Dispatch

extension Handoff {
  /// What a guest does that was stopped at the stage's first instruction and has been looked at.
  enum AfterStage: Sendable {
    case goesOn
    case ends
  }

  /// Runs the scenario to its end, without counting instructions.
  ///
  /// - Parameter change: called with the guest stopped at the stage's first instruction; it then
  ///   goes on.
  public func runUnmeasured(
    in workspace: Workspace, plugin: Machine.Plugin? = nil,
    changingAtStage change: (@Sendable (DebugStub, PlanListing) throws -> Void)? = nil
  ) async throws -> GuestRun {
    try await HostFile.withTemporaryDirectory { directory in
      var machine = try await prepare(in: directory, workspace)
      machine.plugin = plugin
      guard let change else { return try await run(machine).run }
      machine.debugSocket = directory + "/debug"
      return try await run(machine) { stub, listing in
        try change(stub, listing)
        return .goesOn
      }.run
    }
  }

  /// Runs `machine`, which was prepared for the scenario, to its end.
  ///
  /// - Parameter stop: called with the guest stopped at the stage's first instruction, over the
  ///   machine's `debugSocket`.
  func run(
    _ machine: Machine,
    atStage stop: (@Sendable (DebugStub, PlanListing) throws -> AfterStage)? = nil
  ) async throws -> (run: GuestRun, seen: HandoffConsole.Seen) {
    let switchesOff = machine.board.switchesOff
    let console = HandoffConsole(ownUserland: secondInitrd != nil) { _ in }
    let loaded = AsyncStream.makeStream(of: Guest.self)
    var debugger: (@Sendable () async throws -> Void)?
    if let stop, let socket = machine.debugSocket {
      debugger = {
        for await guest in loaded.stream {
          let listing = PlanListing(console.seen.loadLines)
          guard let entry = listing.entry else {
            throw LabError.malformed(what: "the plan: no entry in it", line: "")
          }
          let next = try await DebugStub.withConnection(to: socket) { stub in
            // The guest is stopped: what is typed now waits for it.
            let typed = DispatchSemaphore(value: 0)
            Task {
              try? await guest.send("\n")
              typed.signal()
            }
            typed.wait()
            try stub.run(to: entry)
            let next = try stop(stub, listing)
            if next == .goesOn { try stub.resume() }
            return next
          }
          if next == .ends { await guest.end() }
        }
      }
    }
    let isDebugged = debugger != nil
    let run = try await machine.run(
      debugger: debugger,
      line: { line, guest in
        switch console.read(line) {
        case .nothing where !switchesOff && line.contains(Userland.finished):
          await guest.end()
        case .nothing: break
        case .type where isDebugged: loaded.continuation.yield(guest)
        case .type(let text): try await guest.send(text)
        case .end: await guest.end()
        }
      })
    return (run, console.seen)
  }
}
