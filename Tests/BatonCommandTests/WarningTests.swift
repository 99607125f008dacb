import BootFormats
import LinuxHost
import Testing

@testable import BatonCommand

/// What a machine lacks is said, and the load goes on without it.
@Suite struct WarningTests {
  private struct Case {
    let warning: String
    let listing: String
    var options: [String] = []
    let change: (inout DeviceTree) throws -> Void
  }

  @Test func `A console or firmware that the stage cannot use is done without`() throws {
    let cases = [
      Case(warning: "no console", listing: "console none") { tree in
        tree.removeProperty("stdout-path", of: try #require(tree.node(at: "/chosen")))
      },
      Case(warning: "no console", listing: "console none") { tree in
        let uart = try #require(tree.node(at: "/pl011@9000000"))
        tree.setProperty("compatible", of: uart, to: .init("acme,port"))
      },
      Case(warning: "no console", listing: "console none") { tree in
        tree.removeProperty("reg", of: try #require(tree.node(at: "/pl011@9000000")))
      },
      Case(warning: "no PSCI", listing: "PSCI by nothing", options: ["--on-failure=halt"]) { tree in
        tree.removeNode(try #require(tree.node(at: "/psci")))
      },
      Case(warning: "no PSCI", listing: "PSCI by nothing", options: ["--on-failure=halt"]) { tree in
        let psci = try #require(tree.node(at: "/psci"))
        tree.setProperty("method", of: psci, to: .init("bell"))
      },
    ]
    for (number, each) in cases.enumerated() {
      let linux = try FakeLinux.machine()
      var tree = FakeLinux.tree()
      try each.change(&tree)
      linux.files["/sys/firmware/fdt"] = try tree.serialized()
      #expect(Baton.run(["-l", "/boot/Image", "-d"] + each.options, system: linux) == .success)
      #expect(linux.complaints.hasPrefix("baton: warning: " + each.warning), "case \(number)")
      #expect(linux.complaints.filter { $0 == "\n" }.count == 1, "case \(number)")
      #expect(linux.output.contains(each.listing), "case \(number): \(linux.output)")
      #expect(linux.effects.count == 1)
    }
  }

  @Test(arguments: [("hvc", "PSCI by hvc"), ("smc", "PSCI by smc")])
  func `Firmware is called as the tree says`(method: String, listing: String) throws {
    let linux = try FakeLinux.machine()
    var tree = FakeLinux.tree()
    let psci = try #require(tree.node(at: "/psci"))
    tree.setProperty("method", of: psci, to: .init(method))
    linux.files["/sys/firmware/fdt"] = try tree.serialized()
    #expect(Baton.run(["-l", "/boot/Image", "-d"], system: linux) == .success)
    #expect(linux.complaints == "")
    #expect(linux.output.contains(listing))
  }

  @Test func `A level that cannot be read is unknown, and the load goes on`() throws {
    let linux = try FakeLinux.machine()
    linux.fileFailures["/proc/interrupts"] = .permissionDenied
    #expect(Baton.run(["-l", "/boot/Image", "-d"], system: linux) == .success)
    #expect(linux.complaints.hasPrefix("baton: warning: /proc/interrupts does not tell"))
    #expect(linux.output.contains("at EL1 or EL2"))
  }

  @Test(arguments: [
    (17, "EL1"), (20, "EL2"), (21, "EL2 with VHE"), (27, "EL1 or EL2"), (30, "EL1 or EL2"),
  ])
  func `The timers' numbers are the running tree's where it has them`(
    interrupt: Int, level: String
  ) throws {
    // Private peripheral interrupts from 16 on: secure 19, physical 20, virtual 17, hypervisor 21.
    let linux = try timerMachine(interrupts: [1, 3, 4, 1, 4, 4, 1, 1, 4, 1, 5, 4])
    linux.files["/proc/interrupts"] = Array("11: 1 GICv3 \(interrupt) Level arch_timer\n".utf8)
    #expect(Baton.run(["-l", "/boot/Image", "-d"], system: linux) == .success)
    #expect(linux.output.contains(" at " + level + ","), "\(linux.output)")
  }

  @Test func `A timer that the tree describes wrongly tells nothing`() throws {
    let linux = try timerMachine(interrupts: [1, 3])
    #expect(Baton.run(["-l", "/boot/Image", "-d"], system: linux) == .success)
    #expect(linux.output.contains(" at EL1 or EL2,"), "\(linux.output)")
  }

  private func timerMachine(interrupts: [UInt32]) throws -> FakeLinux {
    let linux = try FakeLinux.machine()
    var tree = FakeLinux.tree()
    let controller = tree.addNode("intc", under: tree.root)
    tree.setProperty("#interrupt-cells", of: controller, to: .init(3 as UInt32))
    tree.setProperty("phandle", of: controller, to: .init(1 as UInt32))
    let timer = tree.addNode("timer", under: tree.root)
    tree.setProperty("compatible", of: timer, to: .init("arm,armv8-timer"))
    tree.setProperty("interrupt-parent", of: timer, to: .init(1 as UInt32))
    var value = DeviceTree.PropertyValue(bytes: [])
    for cell in interrupts { value.append(cell) }
    tree.setProperty("interrupts", of: timer, to: value)
    linux.files["/sys/firmware/fdt"] = try tree.serialized()
    return linux
  }

  @Test func `Help is shown on standard output, with success`() throws {
    let linux = FakeLinux()
    #expect(Baton.run(["--help"], system: linux) == .success)
    #expect(linux.output == Help.text(for: .baton))
    #expect(linux.complaints == "")
  }
}
