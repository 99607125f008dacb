import PhysicalMemory
import Synchronization

/// A guest saved at the moment when the stage is entered: everything is loaded, the old kernel is
/// dead, and not one of the stage's instructions has been executed.
///
/// Taken once, resumed as often as needed: each resumption starts from the same state.
public struct StageSnapshot: Sendable {
  /// Where the loader put everything.
  public let listing: PlanListing
  /// The exception level at which the stage is entered.
  public let level: Int
  let machine: Machine

  /// A bit of physical memory.
  public struct Bit: Sendable, CustomStringConvertible {
    public var address: PhysicalAddress
    /// 0 for the least significant bit of the byte.
    public var index: Int

    public init(_ address: PhysicalAddress, index: Int) {
      self.address = address
      self.index = index
    }

    public var description: String {
      "bit \(index) of the byte at 0x" + String(address.rawValue, radix: 16)
    }
  }

  /// Runs `handoff` up to the stage's first instruction and saves the guest in `directory`.
  public init(of handoff: Handoff, in directory: String, _ workspace: Workspace) async throws {
    var booting = try await handoff.prepare(in: directory, workspace)
    booting.debugSocket = directory + "/debug"
    let state = directory + "/state"
    let level = Mutex<Int?>(nil)
    let (run, seen) = try await handoff.run(booting) { stub, _ in
      let found = try stub.exceptionLevel()
      try stub.save(to: state)
      level.withLock { $0 = found }
      return .ends
    }
    guard let level = level.withLock({ $0 }) else {
      throw run.failure("the stage was not entered")
    }
    listing = PlanListing(seen.loadLines)
    self.level = level
    var machine = booting
    machine.kernel = nil
    machine.initrd = nil
    machine.debugSocket = nil
    machine.savedState = state
    self.machine = machine
  }

  /// Lets the guest go on from the stage's entry to its end, with one bit changed in memory.
  ///
  /// - Parameter log: where the plugin's log is to go, if it is wanted.
  public func run(
    flipping bit: Bit? = nil, plugin: Machine.Plugin? = nil, timeLimit: Duration = .seconds(600)
  ) async throws -> GuestRun {
    try await run(plugin: plugin, timeLimit: timeLimit) { stub in
      guard let bit else { return }
      var byte = try stub.read(bit.address, count: 1)
      byte[0] ^= 1 << UInt8(bit.index)
      try stub.write(byte, to: bit.address)
    }
  }

  /// Lets the guest go on from the stage's entry to its end, after `change` has done to the
  /// stopped guest what it wants.
  ///
  /// - Parameters:
  ///   - text: the lab ends the guest at the first line of the console that contains it.
  ///   - adapt: changes what of the machine is no part of the guest's state.
  public func run(
    until text: String? = nil, plugin: Machine.Plugin? = nil, timeLimit: Duration = .seconds(600),
    adapting adapt: (inout Machine) -> Void = { _ in },
    changing change: @escaping @Sendable (DebugStub) throws -> Void
  ) async throws -> GuestRun {
    try await HostFile.withTemporaryDirectory { directory in
      var machine = machine
      adapt(&machine)
      machine.debugSocket = directory + "/debug"
      machine.startsStopped = true
      machine.plugin = plugin
      machine.timeLimit = timeLimit
      let socket = directory + "/debug"
      return try await machine.run(
        debugger: {
          try await DebugStub.withConnection(to: socket) { stub in
            try stub.waitUntilRestored()
            try change(stub)
            try stub.resume()
          }
        },
        line: { line, guest in
          if let text, line.contains(text) { await guest.end() }
        })
    }
  }
}
