import BootFormats
import LinuxHost
import TestSupport
import Testing

@testable import BatonCommand

/// Each call that a load makes of the kernel fails in turn: what the normal slot held before is there
/// still, and known for what it is, or the load was done without what failed.
@Suite struct FailingCallTests {
  private static let load = [
    "-l", "/boot/Image", "--initrd=/boot/initrd", "--reuse-cmdline", "--append=new",
  ]

  /// A machine with all that a load may ask for, whose normal slot holds an earlier load.
  private static func loaded(
    _ before: [String], _ machine: () throws -> FakeLinux
  ) throws -> FakeLinux {
    let linux = try machine()
    linux.files["/proc/meminfo"] = Array("MemAvailable:      524288 kB\n".utf8)
    linux.files["/proc/sys/kernel/kexec_load_limit_reboot"] = Array("8\n".utf8)
    linux.files["/sys/devices/system/cpu/online"] = Array("0\n".utf8)
    linux.files["/sys/devices/system/cpu/possible"] = Array("0\n".utf8)
    linux.files["/boot/older"] = Array(FakeLinux.kernelImage.prefix(60_000))
    linux.files["/boot/dtb"] = try FakeLinux.tree().serialized()
    try #require(
      Baton.run(["-l", "/boot/older"] + before, system: linux) == .success, "\(linux.complaints)")
    return linux
  }

  private struct Way: Sendable, CustomTestStringConvertible {
    var testDescription: String { (before + options).joined(separator: " ") }
    var before: [String] = []
    let options: [String]
  }

  private static let ways = [
    Way(options: []), Way(options: ["-i", "--dtb=/boot/dtb"]), Way(options: ["--via=file"]),
    Way(before: ["--via=file"], options: ["--initrd=/boot/older"]),
  ]

  @Test(arguments: ways)
  private func `A load that fails leaves what was loaded, and what is known of it`(way: Way) throws
  {
    var failures = 0
    let machine = try Self.loaded(way.before) { try FakeLinux.machine() }
    let slot = try #require(machine.normalSlot)
    for error in [Errno.ioError, .noSuchFile] {
      for index in 0... {
        let linux = machine.copy()
        linux.failingCall = (index, error)
        let status = Baton.run(Self.load + way.options, system: linux)
        let comment: Comment = "call \(index), \(error): \(linux.complaints)"
        linux.failingCall = nil
        // All of its calls have had their turn.
        guard linux.callCount > index else { break }
        #expect(linux.files["/sys/kernel/kexec_loaded"] == Array("1\n".utf8), comment)
        _ = Baton.run(["-S"], system: linux)
        if status == .success {
          #expect(linux.normalSlot != slot, comment)
          #expect(!linux.output.contains("/boot/older"), comment)
        } else {
          failures += 1
          #expect(linux.normalSlot == slot, comment)
          #expect(linux.complaints.hasPrefix("baton: "), comment)
          // What putting the record back may fail of, the status knows no more than the kernel.
          #expect(
            linux.output.contains("/boot/older") || linux.output.contains("not by this boot's"),
            comment)
        }
      }
    }
    #expect(failures > 8)
  }

  /// What is staged needs both slots, and the normal one is emptied first: from then on nothing is
  /// loaded, and the sentence says so. Before, all is as it was.
  @Test func `A staged load that fails leaves what was loaded, or says that nothing is`() throws {
    var failures = (before: 0, after: 0)
    let machine = try Self.loaded(["--via=memory"]) { try FakeLinux.reserving() }
    let slot = try #require(machine.normalSlot)
    for error in [Errno.ioError, .noSuchFile] {
      for index in 0... {
        let linux = machine.copy()
        linux.failingCall = (index, error)
        let status = Baton.run(Self.load + ["--via=crashkernel"], system: linux)
        let comment: Comment = "call \(index), \(error): \(linux.complaints)"
        linux.failingCall = nil
        guard linux.callCount > index else { break }
        let isLoaded = linux.files["/sys/kernel/kexec_loaded"] == Array("1\n".utf8)
        #expect(isLoaded == (linux.normalSlot != nil), comment)
        if status == .success {
          #expect(linux.normalSlot != slot && isLoaded, comment)
        } else if linux.normalSlot == slot {
          failures.before += 1
        } else {
          failures.after += 1
          #expect(!isLoaded, comment)
          #expect(linux.complaints.contains("nothing is loaded now"), comment)
        }
      }
    }
    #expect(failures.before > 10 && failures.after > 1)
  }

  @Test func `A crash kernel's load that fails touches the normal slot at no point`() throws {
    let machine = try Self.loaded([]) { try FakeLinux.crashMachine() }
    let slot = try #require(machine.normalSlot)
    for index in 0... {
      let linux = machine.copy()
      linux.failingCall = (index, .ioError)
      let status = Baton.run(
        ["-p", "/boot/Image", "--initrd=/boot/initrd", "--append=quiet"], system: linux)
      let comment: Comment = "call \(index): \(linux.complaints)"
      linux.failingCall = nil
      guard linux.callCount > index else { break }
      #expect(linux.normalSlot == slot, comment)
      let isLoaded = linux.files["/sys/kernel/kexec_crash_loaded"] == Array("1\n".utf8)
      #expect(isLoaded == (status == .success), comment)
    }
  }
}
