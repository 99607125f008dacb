import Lab
import Testing

/// A watchdog in hardware, that of Arm's reference server, through a handoff. Clocks that count
/// instructions tell its time: nothing that the host does makes it run out, or keeps it from that.
@Suite struct WatchdogTests {
  private static let insert = "busybox insmod /lab/modules/sbsa_gwdt.ko timeout=60\n"

  /// The first userland feeds it once, three seconds before the start; what is fed in the second says
  /// `commands`. Its time is up long before their end.
  private func run(keepsRunning: Bool, in second: String) async throws -> GuestRun {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1-full", in: workspace)
    handoff.machine.board = .sbsaReference
    handoff.machine.level = .vhe
    handoff.machine.clocksCountInstructions = true
    if keepsRunning { handoff.machine.commandLine = "watchdog.stop_on_reboot=0" }
    handoff.modules = ["sbsa_gwdt"]
    handoff.interlude =
      Self.insert + """
        exec 3>/dev/watchdog0
        echo >&3
        busybox sleep 3
        baton --check | busybox sed 's/^/lab: check: /'
        """
    handoff.secondCommands =
      second + """
        [ -e /dev/watchdog0 ] && exec 3>/dev/watchdog0
        for turn in $(busybox seq 20); do
          [ ! -e /dev/watchdog0 ] || echo >&3
          busybox sleep 10
        done
        echo "lab: outlived it"

        """
    return try await GuestSlots.shared.withGuest { [handoff] in
      try await handoff.runUnmeasured(in: workspace)
    }
  }

  private static let goesOn =
    "watchdog0 is running and goes on through the handoff: 56 of 60 s are left"

  @Test func oneThatNobodyFeedsResetsTheMachineUnderTheNextKernel() async throws {
    let run = try await run(keepsRunning: true, in: "")
    #expect(run.end == .watchdog, "\(run.lastLines)")
    // What is left is told by --check, and by -e.
    #expect(run.lines.contains("lab: check: warning: " + Self.goesOn), "\(run.lastLines)")
    #expect(run.lines.contains("baton: " + Self.goesOn), "\(run.lastLines)")
    #expect(run.lines.contains("lab: second userland"), "\(run.lastLines)")
    #expect(!run.lines.contains("lab: outlived it"))
  }

  @Test(.matrix) func theNextUserlandTakesItOver() async throws {
    let run = try await run(keepsRunning: true, in: Self.insert)
    #expect(run.end == .ended, "\(run.lastLines)")
    #expect(run.lines.contains("baton: " + Self.goesOn), "\(run.lastLines)")
    #expect(run.lines.contains("lab: outlived it"), "\(run.lastLines)")
  }

  /// What the driver does where the kernel is told nothing, and what baton says then.
  @Test(.matrix) func thisDriverStopsItWhereTheKernelIsNotToldOtherwise() async throws {
    let run = try await run(keepsRunning: false, in: "")
    #expect(run.end == .ended, "\(run.lastLines)")
    #expect(
      run.lines.contains {
        $0.hasPrefix("baton: watchdog0 is running: 56 of 60 s are left; its driver may stop it")
      }, "\(run.lastLines)")
    #expect(run.lines.contains("lab: outlived it"), "\(run.lastLines)")
  }
}
