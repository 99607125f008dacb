import BatonCommand
import Foundation
import LinuxHost
import Testing

/// What a command that did not go as asked leaves in the slots, and that all that is said of it then is
/// true.
@Suite struct RemainsTests {
  private static let load = ["-l", "/boot/Image", "--initrd=/boot/initrd", "--append=quiet"]
  private static let record = "/run/baton/loaded.json"
  private static let crashRecord = "/run/baton/crash.json"

  private func staged() throws -> FakeLinux {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load, system: linux) == .success, "\(linux.complaints)")
    return linux
  }

  /// With memory for a crash kernel, in which `-l` stages as well.
  private func crashMachine() throws -> FakeLinux {
    let linux = try FakeLinux.crashMachine()
    linux.files["/sys/kernel/kexec_crash_size"] = Array("268435456\n".utf8)
    return linux
  }

  /// Runs `command`, during whose first load the file at `path` is written to.
  private func run(
    _ command: [String], changing path: String, _ linux: FakeLinux,
    onLoad: @escaping (FakeLinux) -> Void = { _ in }
  ) throws -> BatonCommand.ExitStatus {
    let real = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: real) }
    try Data(try #require(linux.files[path])).write(to: real)
    // Long ago: a clock that stands between two ticks hides no change.
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1_700_000_000)], ofItemAtPath: real.path)
    linux.realFiles[path] = real.path
    linux.onKexecLoad = { linux in
      onLoad(linux)
      guard let file = try? FileHandle(forWritingTo: real) else { return }
      try? file.seek(toOffset: 4096)
      try? file.write(contentsOf: Data([0]))
      try? file.close()
    }
    defer {
      linux.onKexecLoad = { _ in }
      linux.realFiles[path] = nil
    }
    return Baton.run(command, system: linux)
  }

  @Test func `A staged load whose record is lost at the end leaves that nothing is a dump kernel`()
    throws
  {
    let linux = try FakeLinux.reserving()
    // There is room for the short note before, and none for the record.
    linux.onKexecLoad = { $0.replaceFailures[Self.record] = .noSpace }
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(linux.complaints.contains("No space left"))
    linux.replaceFailures = [:]
    let answer = try linux.status()
    #expect(answer["stagedImageLoaded"] as? Bool == true)
    #expect(answer["crashKernelLoaded"] as? Bool == false)
    #expect(Baton.runAsKexec(["-S"], system: linux) == 0)
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.normalSlot == nil && linux.crashSlot == nil)
  }

  @Test func `What is staged and cannot be taken back when a file changed is no dump kernel`()
    throws
  {
    let linux = try FakeLinux.reserving()
    let status = try run(Self.load, changing: "/boot/initrd", linux) {
      // The crash slot is loaded then.
      if $0.effects.count == 1 { $0.slotRefusals[.crash] = .busy }
    }
    #expect(status == .badFile)
    #expect(linux.complaints.contains("stays in the crashkernel region"), "\(linux.complaints)")
    #expect(linux.complaints.hasSuffix("unloaded again: no next kernel is loaded now; try again\n"))
    let answer = try linux.status()
    #expect(answer["stagedImageLoaded"] as? Bool == true)
    #expect(answer["crashKernelLoaded"] as? Bool == false)
  }

  @Test func `Whether a crash kernel is loaded is not answered with what is staged`() throws {
    let linux = try staged()
    #expect(Baton.run(["-S"], system: linux) == .success)
    #expect(Baton.run(["-S", "-p"], system: linux) == .negative)
  }

  @Test(arguments: [("-p", "baton -p -u -f"), ("-l", "baton -u -f")])
  func `What changed and cannot be unloaded is named with its slot, and has no record`(
    option: String, advice: String
  ) throws {
    let linux = try crashMachine()
    let slot = option == "-p" ? KexecSlot.crash : .normal
    let way = option == "-p" ? [] : ["--via=memory"]
    let status = try run([option, "/boot/Image"] + way, changing: "/boot/Image", linux) {
      if $0.effects.count == 1 { $0.slotRefusals[slot] = .busy }
    }
    #expect(status == .badFile)
    #expect(linux.complaints.contains("unload it (\(advice))"), "\(linux.complaints)")
    #expect(linux.files[Self.record] == nil && linux.files[Self.crashRecord] == nil)
    linux.slotRefusals = [:]
    #expect(
      Baton.run(advice.split(separator: " ").dropFirst().map { String($0) }, system: linux)
        == .success)
    #expect(linux.normalSlot == nil && linux.crashSlot == nil)
  }

  @Test func `A crash kernel in the place of what another tool took out is one`() throws {
    let linux = try crashMachine()
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(try linux.status()["stagedImageLoaded"] as? Bool == true)
    linux.setLoaded(.crash, false)
    #expect(Baton.run(["-p", "/boot/Image"], system: linux) == .success, "\(linux.complaints)")
    let answer = try linux.status()
    #expect(answer["crashKernelLoaded"] as? Bool == true)
    #expect(answer["crashKernel"] as? String == "/boot/Image")
    #expect(Baton.runAsKexec(["-S"], system: linux) == 1)
    #expect(Baton.run(["-e"], system: linux) == .negative)
    #expect(linux.complaints.contains("unloaded or replaced since"))
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.crashSlot != nil)
  }

  @Test func `While the crash slot changes there is no record of it, and a refusal brings it back`()
    throws
  {
    let linux = try crashMachine()
    let load = ["-p", "/boot/Image"]
    #expect(Baton.run(load, system: linux) == .success)
    let before = try #require(linux.files[Self.crashRecord])
    var seen: [Bool] = []
    linux.onKexecLoad = { seen.append($0.files[Self.crashRecord] != nil) }
    linux.slotRefusals[.crash] = .busy
    #expect(Baton.run(load, system: linux) == .systemCall)
    #expect(seen == [false])
    #expect(linux.files[Self.crashRecord] == before)
    #expect(linux.complaints.contains("the crash kernel that was loaded is still there"))
    linux.slotRefusals = [:]
    linux.slotFailures[.crash] = .noMemory
    #expect(Baton.run(load, system: linux) == .noRoom)
    #expect(linux.files[Self.crashRecord] == nil)
    #expect(linux.complaints.hasSuffix("the running kernel drops the old one first\n"))
    #expect(Baton.run(load, system: linux) == .noRoom)
    #expect(linux.complaints.hasSuffix("no crash kernel is loaded now\n"))
  }

  @Test(arguments: [["-u"], load + ["--via=file"]])
  func `A kernel that was locked down since gives up what is staged by the call that it takes`(
    command: [String]
  ) throws {
    let linux = try staged()
    linux.files["/sys/kernel/security/lockdown"] = Array("none [integrity] confidentiality\n".utf8)
    #expect(
      Baton.run(command, system: linux) == .success,
      "\(linux.complaints)")
    #expect(linux.effects.last == .kexecFileUnload(.crash))
    #expect(linux.crashSlot == nil)
  }

  @Test func `That nothing was changed is not said where something was`() throws {
    let linux = try staged()
    // The normal slot can be emptied, and neither be loaded.
    linux.slotFailures = [.normal: .busy, .crash: .busy]
    #expect(Baton.run(Self.load, system: linux) == .systemCall)
    #expect(linux.complaints.contains("no next kernel is loaded now") || linux.normalSlot == nil)
    #expect(!linux.complaints.contains("nothing was changed"), "\(linux.complaints)")
  }

  @Test func `What auto does not do after all is not announced`() throws {
    let linux = try FakeLinux.reserving(6 << 20)
    linux.files["/boot/initrd"] = [UInt8](repeating: 7, count: 6 << 20)
    #expect(
      Baton.run(Self.load.dropLast() + ["--append=crashkernel=64M@0xa0000000"], system: linux)
        == .success)
    #expect(!linux.complaints.contains("the rest goes the ordinary way"), "\(linux.complaints)")
  }

  @Test func `A kernel without kexec_load is called so by every way`() throws {
    for way in ["--via=crashkernel", "--via=memory", "--via=auto"] {
      let linux = try FakeLinux.reserving()
      linux.kexecLoadFailure = .noSuchSystemCall
      linux.kexecFileLoadFailure = .noSuchSystemCall
      #expect(Baton.run(Self.load + [way], system: linux) == .unsupported)
      #expect(
        linux.complaints == "baton: this kernel was built without kexec_load (CONFIG_KEXEC)\n")
    }
    let linux = try FakeLinux.reserving()
    linux.kexecLoadFailure = .notPermitted
    #expect(Baton.run(Self.load + ["--via=crashkernel"], system: linux) == .notPermitted)
    #expect(linux.complaints.contains("security module"))
  }
}
