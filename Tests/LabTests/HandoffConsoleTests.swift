import PhysicalMemory
import Synchronization
import Testing

@testable import Lab

@Suite struct HandoffConsoleTests {
  private final class Phases: Sendable {
    let seen = Mutex<[HandoffPhase]>([])
  }

  private static let console = [
    "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x411fd070]",
    "[    0.000000] Linux version 6.1.0-50-cloud-arm64 (debian-kernel@lists.debian.org) (gcc)",
    "[    0.000000] Kernel command line: the first",
    "lab: first userland",
    "lab: loading",
    "  kernel  0x42000000  27236288 bytes  in 26 pieces",
    "  stage   0x48000000  200704 bytes",
    "entry 0x48000000",
    "lab: loaded 0",
    "",
    "[    2.617525] Bye!",
    "baton: EL2, MMU and caches on",
    "[    0.000000] Linux version 6.1.0-51-cloud-arm64 (debian-kernel@lists.debian.org) (gcc)",
    "[    0.000000] Kernel command line: the second",
    "[    0.060000] smp: Brought up 1 node, 4 CPUs",
    "[    0.070000] CPU features: detected: Virtualization Host Extensions",
    "[    0.070000] CPU: All CPU(s) started at EL2",
    "lab: second userland",
  ]

  @Test func aHandoffIsFollowedFromKernelToUserland() {
    let phases = Phases()
    let console = HandoffConsole(ownUserland: false) { phase in
      phases.seen.withLock { $0.append(phase) }
    }
    var typed = ""
    for line in Self.console {
      if case .type(let text) = console.read(line) { typed += text }
    }
    #expect(typed == "\n")
    #expect(
      phases.seen.withLock { $0 } == [
        .firstKernel(version: "6.1.0-50-cloud-arm64"), .firstUserland, .loaded, .bye,
        .stage(line: "baton: EL2, MMU and caches on"),
        .secondKernel(version: "6.1.0-51-cloud-arm64"), .secondUserland,
      ])
    #expect(console.seen.commandLine == "the second")
    #expect(console.seen.startedLevel == 2)
    #expect(console.seen.processors == 4)
    #expect(console.seen.usesHostExtensions)
    let listing = PlanListing(console.seen.loadLines)
    #expect(
      listing.ranges[.kernel]
        == PhysicalRange(start: PhysicalAddress(0x4200_0000), size: 27_236_288))
    #expect(listing.ranges[.stage]?.size == 200_704)
    #expect(listing.ranges[.dtb] == nil)
    #expect(listing.entry == PhysicalAddress(0x4800_0000))
  }

  @Test func aLoadThatFailsEndsTheGuest() {
    let console = HandoffConsole(ownUserland: false) { _ in }
    guard case .end = console.read("lab: loaded 1") else {
      Issue.record("the guest goes on")
      return
    }
    #expect(console.seen.loadStatus == "1")
  }

  @Test func aPersonsOwnUserlandEndsTheGuestWhenItIsStarted() {
    let console = HandoffConsole(ownUserland: true) { _ in }
    let line = "[    1.199428] Run /init as init process"
    guard case .nothing = console.read(line) else {
      Issue.record("the first kernel's userland is not the second's")
      return
    }
    _ = console.read("[    2.617525] Bye!")
    guard case .end = console.read(line) else {
      Issue.record("the guest goes on")
      return
    }
  }
}
