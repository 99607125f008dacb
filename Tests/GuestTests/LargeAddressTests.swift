import Lab
import Testing

/// Linux 6.12 with 52-bit addresses of 4K pages (LPA2) dies in its own `kexec_load(2)`. User space
/// can see that it has them.
@Suite struct LargeAddressTests {
  private func handoff(_ commandLine: String, in workspace: Workspace) throws -> Handoff {
    var handoff = try Handoff(debian: "6.12", in: workspace)
    handoff.machine.level = .vhe
    handoff.machine.cpu = "max"
    handoff.machine.commandLine = commandLine
    handoff.firstCommands = "baton --check; echo \"lab: check $?\"\n"
    return handoff
  }

  @Test func theFirstKernelsLargeAddressesAreWarnedOf() async throws {
    let workspace = Workspace()
    var handoff = try handoff("", in: workspace)
    handoff.firstCommands += "busybox poweroff -f\n"
    let run = try await GuestSlots.shared.withGuest { [handoff] in
      try await handoff.runUnmeasured(in: workspace)
    }
    #expect(run.end == .poweredOff, "\(run.lastLines)")
    #expect(
      run.lines.contains { $0.hasPrefix("warning: ") && $0.contains("boot with arm64.nolva") },
      "\(run.lastLines)")
  }

  @Test func bootedAsTheWarningSaysItHandsOver() async throws {
    let workspace = Workspace()
    let handoff = try handoff("arm64.nolva", in: workspace)
    let run = try await GuestSlots.shared.withGuest {
      try await handoff.runUnmeasured(in: workspace)
    }
    #expect(run.end == .poweredOff, "\(run.lastLines)")
    #expect(run.lines.contains("lab: second userland"), "\(run.lastLines)")
    #expect(run.lines.contains("lab: check 0"))
    #expect(!run.lines.contains { $0.contains("this kernel uses 52-bit addresses") })
  }
}
