import BatonCommand
import Foundation
import LinuxHost
import Testing

/// `--check`, and the answers in JSON, which Foundation's parser reads.
@Suite struct CheckTests {
  @Test func `A machine on which loading works is said to be one`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/sys/kernel/osrelease"] = Array("6.1.0-50-cloud-arm64\n".utf8)
    linux.files["/sys/devices/system/cpu/online"] = Array("0-3\n".utf8)
    linux.files["/proc/iomem"]?.append(contentsOf: "  a0000000-afffffff : Crash kernel\n".utf8)
    #expect(Baton.run(["--check"], system: linux) == .success)
    #expect(
      linux.output == """
        kernel        6.1.0-50-cloud-arm64
        level         EL2
        page size     4096 bytes
        CPUs online   4
        console       pl011 at 0x000009000000
        PSCI          by smc
        lockdown      none
        loading       allowed
        crashkernel   0xa0000000-0xb0000000
        baton works here

        """)
    #expect(linux.complaints == "")
    #expect(linux.effects.isEmpty)
  }

  @Test func `Every obstacle is named; the first decides the status`() throws {
    let linux = try FakeLinux.machine()
    linux.isRoot = false
    linux.files["/proc/sys/kernel/kexec_load_disabled"] = Array("1\n".utf8)
    linux.files["/sys/kernel/security/lockdown"] = Array("none integrity [confidentiality]\n".utf8)
    linux.fileFailures["/sys/firmware/fdt"] = .permissionDenied
    #expect(Baton.run(["--check", "--json"], system: linux) == .notPermitted)
    let answer = try answer(linux)
    #expect(answer["works"] as? Bool == false)
    #expect((answer["obstacles"] as? [String])?.count == 2)
    #expect((answer["warnings"] as? [String])?.contains { $0.contains("--via=file") } == true)
    #expect(answer["lockdown"] as? String == "confidentiality")
    #expect(answer["loadDisabled"] as? Bool == true)
    #expect(answer["console"] is NSNull)
    #expect(linux.complaints == "")
  }

  @Test(arguments: [("-1", nil), ("2", 2), ("0", 0)] as [(String, Int?)])
  func `A limit of loads is told, and where it is used up nothing works`(
    limit: String, left: Int?
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/sys/kernel/kexec_load_limit_reboot"] = Array((limit + "\n").utf8)
    let status = Baton.run(["--check", "--json"], system: linux)
    #expect(status == (left == 0 ? .notPermitted : .success))
    #expect(try answer(linux)["loadsLeft"] as? Int == left)
    _ = Baton.run(["--check"], system: linux)
    #expect(
      linux.output.contains("loading       allowed, \(limit) more in this boot") == (left != nil))
  }

  @Test(arguments: [(4096, true), (16384, true), (65536, false)] as [(UInt64, Bool)])
  func `A kernel with 52-bit addresses that needs a fifth level for them is warned of`(
    pageSize: UInt64, isWarned: Bool
  ) throws {
    let linux = try FakeLinux.machine()
    linux.pageSize = pageSize
    linux.has52BitAddresses = true
    #expect(Baton.run(["--check"], system: linux) == .success)
    #expect(linux.output.contains("boot with arm64.nolva") == isWarned)
  }

  @Test func `A kernel without kexec cannot do it`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_loaded"] = nil
    #expect(Baton.run(["--check"], system: linux) == .unsupported)
    #expect(linux.output.contains("obstacle: no /sys/kernel/kexec_loaded"))
    #expect(linux.output.hasSuffix("baton does not work here\n"))
  }

  @Test(arguments: [
    ("5.15.0-1-arm64", true), ("5.16.0", false), ("4.19.1", true), ("6.1", false), ("odd", false),
    ("", false),
  ])
  func `Kernels that relocate with the caches off are named as such`(
    release: String, isSlow: Bool
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/sys/kernel/osrelease"] = Array((release + "\n").utf8)
    #expect(Baton.run(["--check"], system: linux) == .success)
    #expect(linux.output.contains("warning: kernels before 5.16") == isSlow)
  }

  @Test func `What stands in files is escaped`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/sys/kernel/osrelease"] = Array("a\"b\\c\u{1}d\té".utf8) + [0xff]
    #expect(Baton.run(["--check", "--json"], system: linux) == .success)
    #expect(try answer(linux)["kernel"] as? String == "a\"b\\c\u{1}d\té\u{fffd}")
  }

  @Test func `The status is told in JSON, too`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/kernel/kexec_crash_loaded"] = Array("1\n".utf8)
    #expect(Baton.run(["-S", "--json"], system: linux) == .negative)
    let answer = try answer(linux)
    #expect(answer["loaded"] as? Bool == false)
    #expect(answer["crashKernelLoaded"] as? Bool == true)
  }

  @Test func `A plan in JSON lists what would be loaded, and loads nothing`() throws {
    let linux = try FakeLinux.machine()
    #expect(
      Baton.run(
        ["-l", "/boot/Image", "--initrd=/boot/initrd", "--dry-run", "--json"], system: linux)
        == .success)
    let answer = try answer(linux)
    let segments = try #require(answer["segments"] as? [[String: Any]])
    #expect(segments.count <= 16)
    let kernel = try #require(segments.first { $0["name"] as? String == "kernel" })
    #expect(kernel["size"] as? Int == FakeLinux.kernelImage.count)
    #expect((kernel["address"] as? String)?.hasPrefix("0x") == true)
    #expect(answer["level"] as? String == "EL2")
    #expect(linux.effects.isEmpty)
  }

  @Test(arguments: [["-e"], ["-u"], ["-l", "/boot/Image"]])
  func `JSON is for answers`(arguments: [String]) throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(arguments + ["--json"], system: linux) == .usage)
    #expect(linux.effects.isEmpty)
  }

  private func answer(_ linux: FakeLinux) throws -> [String: Any] {
    #expect(linux.output.hasSuffix("}\n"))
    let object = try JSONSerialization.jsonObject(with: Data(linux.output.utf8))
    return try #require(object as? [String: Any])
  }
}
