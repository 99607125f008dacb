import CLinuxHost
import Foundation
import LinuxHost
import Testing

@testable import BatonCommand

/// `--via=file`: the kernel chooses the places. They are read back, so that what another tool loads over it is
/// told from it.
@Suite struct PlacedByKernelTests {
  private static let commandLine = "quiet"
  private static let files = [
    "/boot/Image", "--initrd=/boot/initrd", "--append=" + commandLine, "--via=file",
  ]
  private static let unconfirmed = "does not show whether another tool loaded something since"
  private static let slots = [KexecSlot.normal, .crash]

  /// What another tool loads.
  enum Other: CaseIterable {
    case segments
    case anotherKernel
    case noInitrd
    case anotherCommandLine

    func load(_ slot: KexecSlot, _ linux: FakeLinux) throws {
      guard self != .segments else {
        let segments = unsafe [
          linux_kexec_segment(buf: nil, bufsz: 0, mem: 0x6000_0000, memsz: 0x20_0000)
        ]
        return try unsafe segments.withUnsafeBufferPointer {
          try unsafe linux.kexecLoad(entry: 0x6000_0000, segments: $0, slot: slot)
        }
      }
      linux.files["/boot/other"] = FakeLinux.kernelImage + [0]
      try linux.kexecFileLoad(
        kernel: self == .anotherKernel ? "/boot/other" : "/boot/Image",
        initrd: self == .noInitrd ? .none : .file("/boot/initrd"),
        commandLine: Array((commandLine + (self == .anotherCommandLine ? " 1" : "")).utf8),
        slot: slot)
    }
  }

  private static func load(_ slot: KexecSlot) -> [String] {
    [slot == .normal ? "-l" : "-p"] + files
  }

  private static func unload(_ slot: KexecSlot) -> [String] {
    slot == .normal ? ["-u"] : ["-p", "-u"]
  }

  private func loaded(_ slot: KexecSlot, showsMemory: Bool = true) throws -> FakeLinux {
    let linux = try FakeLinux.crashMachine()
    linux.files["/sys/kernel/kexec_crash_size"] = Array("268435456\n".utf8)
    linux.showsMemory = showsMemory
    #expect(Baton.run(Self.load(slot), system: linux) == .success, "\(linux.complaints)")
    return linux
  }

  private func holdsSomething(_ slot: KexecSlot, _ linux: FakeLinux) -> Bool {
    (slot == .normal ? linux.normalSlot : linux.crashSlot) != nil
  }

  private func words(_ linux: FakeLinux) -> String {
    let before = linux.output.utf8.count
    _ = Baton.run(["-S"], system: linux)
    return String(decoding: linux.output.utf8.dropFirst(before), as: UTF8.self)
  }

  private func expectOurs(_ slot: KexecSlot, _ linux: FakeLinux) throws {
    let words = words(linux)
    let described =
      slot == .normal
      ? "next kernel: loaded: /boot/Image (via file, verifies nothing): baton -e starts it\n"
      : "crash kernel: loaded: /boot/Image (verifies nothing): a panic starts it\n"
    #expect(words.contains(described), "\(words)")
    #expect(!words.contains(Self.unconfirmed), "\(words)")
    if slot == .normal { #expect(try linux.status()["replaced"] as? Bool == false) }
  }

  @Test(arguments: slots) func `It is found in the kernel's memory, and unloaded`(
    slot: KexecSlot
  ) throws {
    let linux = try loaded(slot)
    try expectOurs(slot, linux)
    #expect(Baton.run(Self.unload(slot), system: linux) == .success)
    #expect(!holdsSomething(slot, linux))
    #expect(Baton.run(Self.load(slot), system: linux) == .success)
    try expectOurs(slot, linux)
    #expect(linux.complaints == "")
  }

  @Test(arguments: slots, Other.allCases) func `What another tool loads over it is told, and stays`(
    slot: KexecSlot, other: Other
  ) throws {
    let linux = try loaded(slot)
    try other.load(slot, linux)
    if slot == .normal {
      #expect(
        words(linux).hasPrefix(
          "next kernel: loaded by another tool, over /boot/Image of baton -l: baton -e starts it\n")
      )
      let answer = try linux.status()
      #expect(answer["loadedByBaton"] as? Bool == false)
      #expect(answer["replaced"] as? Bool == true)
      #expect(answer["via"] is NSNull)
    } else {
      #expect(words(linux).hasSuffix("crash kernel: loaded\n"))
      #expect(try linux.status()["crashKernel"] is NSNull)
    }
    #expect(Baton.run(Self.unload(slot), system: linux) == .success)
    #expect(holdsSomething(slot, linux))
    #expect(linux.complaints.contains("and stays"))
    // A load replaces it, and is Baton's own again.
    #expect(Baton.run(Self.load(slot), system: linux) == .success)
    try expectOurs(slot, linux)
    try other.load(slot, linux)
    #expect(Baton.run(Self.unload(slot) + ["-f"], system: linux) == .success)
    #expect(!holdsSomething(slot, linux))
  }

  /// Neither the places nor the sizes differ.
  @Test func `The same files with as long a command line are taken for Baton's own`() throws {
    let linux = try loaded(.normal)
    try linux.kexecFileLoad(
      kernel: "/boot/Image", initrd: .file("/boot/initrd"), commandLine: Array("silly".utf8),
      slot: .normal)
    try expectOurs(.normal, linux)
  }

  @Test(arguments: slots, [false, true])
  func `Where the kernel does not show it then or now, the record is believed, which is said`(
    slot: KexecSlot, isShownThen: Bool
  ) throws {
    let linux = try loaded(slot, showsMemory: isShownThen)
    try Other.segments.load(slot, linux)
    if isShownThen {
      linux.fileFailures["/proc/kcore"] = .notPermitted
    } else {
      linux.showsMemory = true
    }
    let words = words(linux)
    #expect(words.contains("/boot/Image"), "\(words)")
    #expect(words.hasSuffix(Self.unconfirmed + "\n"), "\(words)")
    #expect(Baton.run(Self.unload(slot), system: linux) == .success)
    #expect(!holdsSomething(slot, linux))
  }

  /// Else another load could come between this one and the look at it.
  @Test(arguments: slots) func `Where the image will be is found out before the load`(
    slot: KexecSlot
  ) throws {
    let linux = try FakeLinux.crashMachine()
    linux.files["/sys/kernel/kexec_crash_size"] = Array("268435456\n".utf8)
    linux.showsMemory = true
    var count: Int?
    linux.onKexecFileLoad = { count = $0.readCounts["/proc/kallsyms"] }
    #expect(Baton.run(Self.load(slot), system: linux) == .success, "\(linux.complaints)")
    #expect(count == 1)
    #expect(linux.readCounts["/proc/kallsyms"] == 1)
  }

  @Test func `What it was is still known where the next load is killed before its call`() throws {
    let linux = try loaded(.normal)
    var killed: FakeLinux?
    linux.onKexecFileLoad = { killed = $0.copy() }
    #expect(Baton.run(["-l", "/boot/Image", "--via=file"], system: linux) == .success)
    let state = try #require(killed)
    state.showsMemory = true
    #expect(
      words(state).hasPrefix(
        "next kernel: loaded by a baton -l that was interrupted: baton -e starts it\n"))
    #expect(!words(state).contains(Self.unconfirmed))
    // Where it was to put what nobody knows.
    try Other.segments.load(.normal, state)
    #expect(words(state).hasPrefix("next kernel: loaded, perhaps by a baton -l"))
  }
}
