import BatonCommand
import Foundation
import LinuxHost
import Testing

/// Files that are written to while they are loaded: what was digested is not what is loaded then.
@Suite struct ChangingFileTests {
  @Test(arguments: [
    (["-l", "--via=memory"], "/boot/Image"), (["-l"], "/boot/Image"), (["-l"], "/boot/initrd"),
    (["-l", "--via=crashkernel"], "/boot/initrd"),
    (["-p"], "/boot/Image"), (["-p"], "/boot/initrd"),
  ])
  func `What changes while it is loaded is unloaded again`(
    options: [String], path: String
  ) throws {
    let linux = options == ["-p"] ? try FakeLinux.crashMachine() : try FakeLinux.reserving()
    let real = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: real) }
    let content = try #require(linux.files[path])
    try Data(content).write(to: real)
    linux.realFiles[path] = real.path
    let load = options + ["/boot/Image", "--initrd=/boot/initrd", "--append=quiet"]
    #expect(Baton.run(load, system: linux) == .success, "\(linux.complaints)")

    var isFirst = true
    linux.onKexecLoad = { _ in
      guard isFirst else { return }
      isFirst = false
      // In place, of the same size.
      guard let file = try? FileHandle(forWritingTo: real) else { return }
      try? file.seek(toOffset: 4096)
      try? file.write(contentsOf: Data([0]))
      try? file.close()
    }
    #expect(Baton.run(load, system: linux) == .badFile)
    #expect(
      linux.complaints.hasSuffix(
        "\(path) changed while it was loaded, and was unloaded again: no "
          + "\(options == ["-p"] ? "crash" : "next") kernel is loaded now; try again\n"
      ), "\(linux.complaints)")
    for slot in ["kexec_loaded", "kexec_crash_loaded"] {
      #expect(linux.files["/sys/kernel/" + slot] == Array("0\n".utf8))
    }
    #expect(linux.files["/run/baton/loaded.json"] == nil)
    #expect(linux.files["/run/baton/crash.json"] == nil)
  }
}
