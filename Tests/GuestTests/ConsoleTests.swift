import Foundation
import Lab
import TestSupport
import Testing

/// Consoles that QEMU's `virt` does not have.
@Suite struct ConsoleTests {
  /// A Raspberry Pi 3's console is an 8250 whose registers are words: the stage has that from the
  /// tree, and its line comes out between the two kernels'. The board has no PSCI either, and the
  /// level at which it was booted is told by nothing.
  @Test func theStageWritesToARaspberryPis8250() async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1-full", in: workspace)
    handoff.machine.board = .raspberryPi3
    handoff.machine.deviceTree = try workspace.deviceTree("bcm2837-rpi-3-b")
    let token = handoff.token
    let run = try await GuestSlots.shared.withGuest { [handoff] in
      try await handoff.runUnmeasured(in: workspace)
    }
    func index(_ text: String, after start: Int = -1) throws -> Int {
      try #require(
        run.lines.indices.first { $0 > start && run.lines[$0].contains(text) },
        "no “\(text)”: \(run.lastLines)")
    }
    _ = try index(
      "console 8250 at 0x00003f215040, register shift 2, access width 4, PSCI by nothing")
    _ = try index("baton: warning: no PSCI in the device tree")
    let bye = try index("Bye!")
    let stage = try index("baton: EL2, MMU and caches on: moved 0 bytes, verified ", after: bye)
    let kernel = try index("Booting Linux", after: stage)
    let userland = try index("lab: second userland", after: kernel)
    #expect(try index(token, after: userland) > userland)
  }

  /// `--serial` names another console than the tree's: the stage's line comes out there. On the way, what
  /// `-l` warns of and the line that `-e` leaves in the old kernel's log.
  @Test func serialNamesTheStagesConsoleAndTheOldKernelsLogSaysWhatStarts() async throws {
    let workspace = Workspace()
    let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.machine.secondConsole = path
    handoff.loadOptions = ["--serial=ttyAMA1"]
    let run = try await GuestSlots.shared.withGuest { [handoff] in
      try await handoff.runUnmeasured(in: workspace)
    }
    let comment: Comment = "\(run.lastLines)"
    #expect(run.end == .poweredOff, comment)
    #expect(run.lines.contains { $0.contains("console pl011 at 0x000009040000") }, comment)
    let other = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    #expect(other.hasPrefix("baton: EL2, MMU and caches on: moved "), "\(other)")
    let bye = try #require(run.lines.firstIndex { $0.hasSuffix("] Bye!") }, comment)
    #expect(!run.lines[bye...].contains { $0.contains("baton: ") }, comment)
    #expect(run.lines[bye...].contains("lab: second userland"), comment)
    #expect(
      run.lines[..<bye].contains {
        $0.hasPrefix("baton: warning: this kernel has no console at 0x000009040000: ")
      }, comment)
    #expect(
      run.lines[..<bye].contains {
        $0.hasPrefix("baton: warning: no panic= on the next kernel's command line")
      }, comment)
    #expect(
      run.lines[..<bye].contains {
        $0.wholeMatch(of: /\[ *[0-9.]+\] baton: starting the loaded kernel, plan 0x[0-9a-f]{16}/)
          != nil
      }, comment)
  }

  /// QEMU's PL011, described as what it is besides: an SBSA UART, which both kernels drive as one. Of its
  /// registers the stage uses the two that such a UART has.
  @Test func theStageWritesToAnSBSAUARTAndUsesNoMoreOfItThanThereIs() async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.firstCommands = "baton --check | busybox sed 's/^/lab: /'"
    let prepared = handoff
    try await HostFile.withTemporaryDirectory { directory in
      var handoff = prepared
      let node = "/pl011@9000000"
      let described = try HostTool.run(
        ["fdtput", "-t", "s", "tree", node, "compatible", "arm,sbsa-uart"],
        with: ["tree": try await handoff.machine.ownDeviceTree()], result: "tree")
      let tree = try HostTool.run(
        ["fdtput", "-t", "u", "tree", node, "current-speed", "115200"],
        with: ["tree": described], result: "tree")
      try HostFile.write(tree, to: directory + "/tree")
      handoff.machine.deviceTree = directory + "/tree"
      handoff.machine.trace = (["pl011_read", "pl011_write"], directory + "/trace")
      let run = try await GuestSlots.shared.withGuest { [handoff] in
        try await handoff.runUnmeasured(in: workspace)
      }
      let comment: Comment = "\(run.lastLines)"
      #expect(run.end == .poweredOff, comment)
      #expect(run.lines.contains("lab: console       SBSA UART at 0x000009000000"), comment)
      #expect(
        run.lines.contains { $0.contains(", console SBSA UART at 0x000009000000, PSCI by ") },
        comment)
      let drivers = run.lines.filter { $0.contains("ttyAMA0 at MMIO 0x9000000") }
      #expect(drivers.count == 2 && drivers.allSatisfy { $0.hasSuffix(" is a SBSA") }, comment)
      let said = try #require(
        run.lines.first { $0.hasPrefix("baton: EL2, MMU and caches on: ") }, comment)
      #expect(run.lines.contains("lab: second userland"), comment)

      // From the first byte of the stage's line to its last.
      let accesses = try HostFile.text(of: directory + "/trace").split(separator: "\n")
      let written = try accesses.enumerated().filter { $1.contains("pl011_write addr 0x000 ") }.map
      {
        (index, access) in
        let match = try #require(access.firstMatch(of: /value 0x([0-9a-f]+)/), "\(access)")
        return (index: index, byte: UInt8(truncatingIfNeeded: UInt32(match.1, radix: 16) ?? 0))
      }
      let place = try #require(
        written.map(\.byte).firstRange(of: Array((said + "\r\n").utf8)), comment)
      let own = accesses[written[place.lowerBound].index...written[place.upperBound - 1].index]
      #expect(own.count >= 2 * said.utf8.count)
      for access in own where !access.contains("pl011_write addr 0x000 ") {
        #expect(access.contains("pl011_read addr 0x018 "))
      }
    }
  }
}
