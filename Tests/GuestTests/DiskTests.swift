import Foundation
import Lab
import PhysicalMemory
import Testing

/// What is left on a disk that outlives the guests: what became of a handoff is known in the kernel
/// that it was to start, in the one that a reset brought back, and in later ones.
@Suite struct DiskTests {
  /// Asks, and leaves the disk as a shutdown does.
  private static let asking = """
    baton --last; echo "lab: last $?"
    baton --last --json
    busybox umount /var/lib/baton

    """

  @Test func theLastHandoffIsToldInTheKernelsThatComeAfterIt() async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.verified = false
    handoff.firstCommands = """
      baton --last; echo "lab: before $?"
      \(Self.failingRecords)
      """
    handoff.secondCommands = Self.asking
    try await HostFile.withTemporaryDirectory { directory in
      handoff.machine.disk = directory + "/disk"
      try await DiskImage.make(at: directory + "/disk", mebibytes: 16)
      let scenario = handoff

      // From one kernel to the next.
      let arrived = try await GuestSlots.shared.withGuest {
        try await scenario.runUnmeasured(in: workspace)
      }
      try Self.expect(["no handoff is on record here", "lab: before 1"], in: arrived)
      try Self.expect(["arrived: plan 0x", "old kernel's shutdown", "lab: last 0"], in: arrived)
      let answer = try Self.answer(arrived)
      #expect(answer["arrived"] as? Bool == true)
      #expect(answer["earlierBoot"] as? Bool == false)
      let times = try #require(answer["microseconds"] as? [String: Any])
      for phase in ["shutdown", "translation", "move", "verify", "leave"] {
        let time = try #require(times[phase] as? Int, "\(phase) is unknown")
        #expect((0..<60_000_000).contains(time))
      }
      // Stopping the first kernel takes longer than looking at 64 pages.
      #expect(try #require(times["shutdown"] as? Int) > 0)

      // What could not be recorded was loaded all the same.
      try Self.expect(
        ["warning: /run/baton/loaded.json: No space left on device", "lab: full 0"], in: arrived)
      try Self.expect(
        ["warning: /run/baton/loaded.json: File too large", "lab: limit 0"], in: arrived)

      // Switched on again, the first kernel knows of it, too. It hands over, and the stage finds a
      // bit flipped.
      let reset = try await GuestSlots.shared.withGuest {
        try await scenario.runUnmeasured(in: workspace) { stub, listing in
          // Its first page is among those that are compared without full verification.
          let place = try #require(listing.ranges[.kernel]).start
          var byte = try stub.read(place, count: 1)
          byte[0] ^= 1
          try stub.write(byte, to: place)
        }
      }
      try Self.expect(["in a boot before this one", "lab: before 0"], in: reset)
      #expect(reset.end == .reset, "\(reset.lastLines)")
      try Self.expect(["baton: kernel differs from what was loaded"], in: reset)

      // The first kernel once more: its own boot is not what was to be started.
      let again = try await GuestSlots.shared.withGuest {
        try await scenario.runUnmeasured(in: workspace)
      }
      try Self.expect(
        ["did not arrive: this kernel was not started by plan", "lab: before 1"], in: again)
      try Self.expect(["arrived: plan 0x", "lab: last 0"], in: again)
    }
  }

  /// Loads that cannot be recorded: in a full file system, and in a process that may write nothing.
  private static let failingRecords = """
    load="baton -i -l /lab/kernel --initrd=/lab/initrd"
    busybox mkdir -p /run/baton
    busybox mount -t tmpfs -o size=4k none /run/baton
    echo full >/run/baton/full
    $load; echo "lab: full $?"
    busybox umount /run/baton
    (ulimit -f 0; $load; echo "lab: limit $?")

    """

  /// The lines that hold `texts`, in this order.
  private static func expect(_ texts: [String], in run: GuestRun) throws {
    var start = 0
    for text in texts {
      let index = run.lines[start...].firstIndex { $0.contains(text) }
      start = try #require(index, "no “\(text)”: \(run.lines.filter { !$0.hasPrefix("[") })") + 1
    }
  }

  private static func answer(_ run: GuestRun) throws -> [String: Any] {
    let line = try #require(run.lines.last { $0.hasPrefix("{\"arrived\"") })
    return try #require(
      try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }
}
