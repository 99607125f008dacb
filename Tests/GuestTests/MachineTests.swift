import Lab
import Testing

@Suite struct MachineTests {
  @Test func aGuestThatHangsIsEndedAndWhatItSaidIsKept() async throws {
    var machine = Machine()
    machine.kernel = try Workspace().kernel("6.1")
    // No root file system to be found, and no reboot for want of one: this kernel waits for ever.
    machine.commandLine += " rootwait root=/dev/none"
    // Its first line comes in the first second, but for how busy this machine is.
    var hasSpoken = false
    for limit in [6, 60, 600] where !hasSpoken {
      machine.timeLimit = .seconds(limit)
      let hanging = machine
      let run = try await GuestSlots.shared.withGuest { try await hanging.run() }
      #expect(run.end == .timeLimit)
      #expect(run.failure("nothing happened").description.contains("ended at its time limit"))
      hasSpoken = run.lines.contains { $0.contains("] Linux version 6.1") }
    }
    #expect(hasSpoken)
  }

  @Test func aGuestThatPanicsIsSeenToReset() async throws {
    var machine = Machine()
    machine.kernel = try Workspace().kernel("6.1")
    machine.commandLine += " panic=-1"
    let panicking = machine
    let run = try await GuestSlots.shared.withGuest { try await panicking.run() }
    #expect(run.end == .reset)
  }

  /// The lab may read late: by then this guest has reset.
  @Test func aGuestOfWhichEnoughWasSeenCountsAsEnded() async throws {
    var machine = Machine()
    machine.kernel = try Workspace().kernel("6.1")
    machine.commandLine += " panic=-1"
    let panicking = machine
    let run = try await GuestSlots.shared.withGuest {
      try await panicking.run(line: { line, guest in
        guard line.contains("Kernel panic - not syncing") else { return }
        try await Task.sleep(for: .seconds(2))
        await guest.end()
      })
    }
    #expect(run.end == .ended)
  }

  @Test func whatQEMUSaysAboutItsArgumentsIsPassedOn() async throws {
    var machine = Machine()
    machine.cpu = "no-such-cpu"
    machine.kernel = try Workspace().kernel("6.1")
    do {
      _ = try await machine.run()
      Issue.record("QEMU knows this CPU")
    } catch let error as LabError {
      #expect(error.description.contains("no-such-cpu"))
    }
  }
}
