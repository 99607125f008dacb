import PhysicalMemory

extension StageSnapshot {
  /// Lets the guest go on from the stage's entry to its end, after `prepare` has changed what it
  /// finds in memory.
  ///
  /// - Parameter prepare: works on the stopped guest.
  public func run(
    plugin: Machine.Plugin? = nil, timeLimit: Duration = .seconds(60),
    preparing prepare: @escaping @Sendable (DebugStub) throws -> Void
  ) async throws -> GuestRun {
    try await HostFile.withTemporaryDirectory { directory in
      let socket = directory + "/debug"
      var machine = machine
      machine.debugSocket = socket
      machine.startsStopped = true
      machine.plugin = plugin
      machine.timeLimit = timeLimit
      return try await machine.run(debugger: {
        try await DebugStub.withConnection(to: socket) { stub in
          try stub.waitUntilRestored()
          try prepare(stub)
          try stub.resume()
        }
      })
    }
  }
}
