import BootFormats
import LinuxHost
import Testing

@testable import BatonCommand

/// Which CPUs are listed for the stage.
@Suite struct WorkSharingTests {
  private static let share = WorkSharing.worthwhileShare

  /// CPUs 0, 1, 2 and 5 are online, of the eight that the tree has.
  private func machine() throws -> FakeLinux {
    let linux = try FakeLinux.machine()
    linux.files["/sys/devices/system/cpu/online"] = Array("0-2,5\n".utf8)
    for cpu in 0..<8 as Range<UInt8> {
      linux.files["/sys/devices/system/cpu/cpu\(cpu)/of_node/reg"] = [0, 0, 1, cpu]
    }
    return linux
  }

  private func processors(
    _ linux: FakeLinux, limit: Int = .max, work: UInt64 = 100 * share
  ) throws -> [UInt64] {
    let machine = try Machine(linux, nextTree: nil, haltsOnFailure: false, console: nil)
    return WorkSharing.processors(limit: limit, work: work, on: machine, linux)
  }

  @Test func `Those that are online share the work, by the affinity that the tree gives them`()
    throws
  {
    #expect(try processors(try machine()) == [0x100, 0x101, 0x102, 0x105])
  }

  @Test func `An affinity may take two cells`() throws {
    let linux = try machine()
    linux.files["/sys/devices/system/cpu/cpu1/of_node/reg"] = [0, 0, 0, 1, 0, 2, 3, 4]
    #expect(try processors(linux) == [0x100, 0x1_0002_0304, 0x102, 0x105])
  }

  @Test(arguments: [[], [0, 0], [1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]] as [[UInt8]])
  func `What is no affinity leaves its CPU out`(reg: [UInt8]) throws {
    let linux = try machine()
    linux.files["/sys/devices/system/cpu/cpu1/of_node/reg"] = reg
    #expect(try processors(linux) == [0x100, 0x102, 0x105])
  }

  @Test func `At most as many as --cpus says, and none beside the one that is there`() throws {
    #expect(try processors(try machine(), limit: 3).count == 3)
    #expect(try processors(try machine(), limit: 1).isEmpty)
  }

  @Test func `Each has a share that is worth it`() throws {
    #expect(try processors(try machine(), work: 4 * Self.share).count == 4)
    #expect(try processors(try machine(), work: 4 * Self.share - 1).count == 3)
    #expect(try processors(try machine(), work: 2 * Self.share - 1).isEmpty)
    #expect(try processors(try machine(), work: .max).count == 4)
  }

  @Test func `Without CPUs in a tree, as with ACPI, one works alone`() throws {
    let linux = try machine()
    for cpu in 0..<8 { linux.files["/sys/devices/system/cpu/cpu\(cpu)/of_node/reg"] = nil }
    #expect(try processors(linux).isEmpty)
  }

  @Test func `Without PSCI one works alone`() throws {
    let linux = try machine()
    var tree = FakeLinux.tree()
    let psci = try #require(tree.node(at: "/psci"))
    tree.setProperty("compatible", of: psci, to: .init("none"))
    linux.files["/sys/firmware/fdt"] = try tree.serialized()
    #expect(try processors(linux).isEmpty)
  }

  @Test(arguments: ["", "0", "-1", "+2", "two", "4x", "99999999999999999999"])
  func `--cpus takes a number from 1 on`(value: String) {
    #expect(throws: UsageError.badValue(option: "--cpus", value: value)) {
      try Invocation(parsing: ["-l", "I", "--cpus=" + value])
    }
  }
}
