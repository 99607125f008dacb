import BatonCommand
import BootFormats
import Foundation
import LinuxHost
import Testing

/// What `-l` and `-e` leave behind, and what `--status` and `--last` make of it.
@Suite struct RecordTests {
  private static let loaded = "/run/baton/loaded.json"
  private static let last = "/var/lib/baton/last.json"
  private static let property = "/sys/firmware/devicetree/base/chosen/baton,handoff-record"

  @Test func `A load leaves a record, and the status is from it`() throws {
    let linux = try loadedMachine()
    let record = try object(linux.files[Self.loaded])
    #expect(record["bootId"] as? String == "5f2a9d60-0000-4000-8000-000000000001")
    #expect(record["kernel"] as? String == "/boot/Image")
    #expect(record["commandLine"] as? String == "a \"b\"")
    #expect(record["verification"] as? String == "everything")
    #expect((record["planDigest"] as? String)?.wholeMatch(of: /0x[0-9a-f]{16}/) != nil)
    #expect(Baton.run(["-S"], system: linux) == .success)
    #expect(
      linux.output.hasPrefix(
        "next kernel: loaded: /boot/Image (via memory, verifies everything): baton -e starts it\n"))
  }

  @Test(arguments: ["5f2a9d60-0000-4000-8000-000000000002\n", ""])
  func `A record of another boot is none`(bootID: String) throws {
    let linux = try loadedMachine()
    linux.files["/proc/sys/kernel/random/boot_id"] = Array(bootID.utf8)
    #expect(Baton.run(["-S", "--json"], system: linux) == .success)
    #expect(try object(Array(linux.output.utf8))["loadedByBaton"] as? Bool == false)
  }

  @Test(arguments: ["", "{}", "{\"bootId\":\"", "\\", "\"bootId\":"])
  func `A spoilt record is none`(content: String) throws {
    let linux = try loadedMachine()
    linux.files[Self.loaded] = Array(content.utf8)
    #expect(Baton.run(["-S"], system: linux) == .success)
    #expect(linux.output.contains("not by this boot's baton -l"))
  }

  @Test func `A refused load leaves the record of what is still loaded`() throws {
    let linux = try loadedMachine()
    let before = linux.files[Self.loaded]
    linux.kexecLoadFailure = .busy
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .systemCall)
    #expect(linux.files[Self.loaded] == before)
  }

  @Test(arguments: [["-l", "/boot/Image"], ["-u"]])
  func `While the slot changes the record is of no load that is done: this process may end then`(
    command: [String]
  ) throws {
    let linux = try loadedMachine()
    var seen: [String] = []
    linux.onKexecLoad = {
      seen.append(String(decoding: $0.files[Self.loaded] ?? [], as: UTF8.self))
    }
    #expect(Baton.run(command, system: linux) == .success)
    #expect(seen.count == 1)
    #expect(seen[0].contains("\"state\":\"staging\"") && !seen[0].contains("planDigest"))
  }

  @Test func `A record that cannot be replaced before a load is taken away`() throws {
    let linux = try loadedMachine()
    linux.replaceFailures[Self.loaded] = .noSpace
    var seen: [Bool] = []
    linux.onKexecLoad = { seen.append($0.files[Self.loaded] != nil) }
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    #expect(seen == [false])
  }

  @Test func `An unload that is refused leaves the record`() throws {
    let linux = try loadedMachine()
    let before = linux.files[Self.loaded]
    linux.kexecLoadFailure = .busy
    #expect(Baton.run(["-u"], system: linux) == .systemCall)
    #expect(linux.files[Self.loaded] == before)
  }

  @Test func `A load that cannot be recorded is one all the same, and no old record is left`()
    throws
  {
    let linux = try loadedMachine()
    linux.fileFailures[Self.loaded] = .ioError
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    #expect(linux.complaints.contains("warning: /run/baton/loaded.json: Input/output error"))
    #expect(linux.files[Self.loaded] == nil)
  }

  @Test func `Unloading takes the record away`() throws {
    let linux = try loadedMachine()
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.files[Self.loaded] == nil)
    #expect(linux.complaints == "")
  }

  @Test func `The next tree has room for the stage's record, where the block says`() throws {
    let linux = try FakeLinux.machine()
    var tree = FakeLinux.tree()
    tree.setHandoffRecord([UInt8](repeating: 7, count: 88))
    linux.files["/sys/firmware/fdt"] = try tree.serialized()
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    guard case .kexecLoad(_, _, let segments) = try #require(linux.effects.first) else {
      Issue.record("no load")
      return
    }
    let blob = try #require(segments.first { $0.bytes.starts(with: [0xd0, 0x0d, 0xfe, 0xed]) })
    let block = try #require(segments.first { $0.bytes.starts(with: "BTN".utf8) })
    // The block's word that lies in the tree, beyond the tree's start: where the record goes.
    var places: [Int] = []
    for offset in stride(from: 0, to: block.bytes.count - 7, by: 8) {
      var word: UInt64 = 0
      for byte in block.bytes[offset..<offset + 8].reversed() { word = word << 8 | UInt64(byte) }
      if word > blob.destination, word < blob.destination + UInt64(blob.bytes.count) {
        places.append(Int(word - blob.destination))
      }
    }
    let place = try #require(places.first)
    var marked = blob.bytes
    for index in 0..<88 { marked[place + index] = UInt8(index) }
    let next = try unsafe DeviceTree(parsing: marked.span.bytes)
    let chosen = try #require(next.node(at: "/chosen"))
    #expect(
      next.property("baton,handoff-record", of: chosen)?.bytes == (0..<88).map { UInt8($0) })
  }

  @Test func `A handoff that arrived is told with where its time went`() throws {
    let linux = try loadedMachine()
    try start(linux)
    let digest = try number(try object(linux.files[Self.last])["planDigest"])
    linux.files[Self.property] = Self.record(plan: digest)
    #expect(Baton.run(["--last"], system: linux) == .success)
    // The counter was 0x1000 at -e and runs at 1 MHz.
    #expect(linux.output.contains("arrived: plan 0x"))
    #expect(linux.output.contains("old kernel's shutdown   5.904 ms"))
    #expect(linux.output.contains("stage: verify           0.300 ms"))
    #expect(linux.output.hasSuffix("moved 5 bytes, verified 6 bytes\n"))
  }

  @Test func `A handoff that did not arrive is told, and is a no`() throws {
    let linux = try loadedMachine()
    try start(linux)
    #expect(Baton.run(["--last"], system: linux) == .negative)
    #expect(linux.output.contains("did not arrive"))
    // Nor did it where another plan's record is there.
    linux.files[Self.property] = Self.record(plan: 1)
    #expect(Baton.run(["--last"], system: linux) == .negative)
  }

  @Test func `A start that the kernel refuses is not asked for later`() throws {
    let linux = try loadedMachine()
    #expect(Baton.run(["-e"], system: linux) == .systemCall)
    #expect(linux.effects.suffix(3) == [.sync, .interfacesDown, .reboot])
    #expect(linux.files[Self.last] == nil)
  }

  @Test func `What became of a handoff stays told in later boots`() throws {
    let linux = try loadedMachine()
    try start(linux)
    let digest = try number(try object(linux.files[Self.last])["planDigest"])
    boot(linux, 2)
    linux.files[Self.property] = Self.record(plan: digest)
    #expect(Baton.run(["--last"], system: linux) == .success)
    boot(linux, 3)
    let told = linux.output
    for _ in 0..<2 {
      #expect(Baton.run(["--last"], system: linux) == .success)
      #expect(linux.output.dropFirst(told.count).contains("in a boot before this one"))
    }
    #expect(try object(linux.files[Self.last])["outcome"] as? String == "arrived")
    let before = linux.output.utf8.count
    #expect(Baton.run(["--last", "--json"], system: linux) == .success)
    let answer = try object(Array(linux.output.utf8.dropFirst(before)))
    #expect(answer["arrived"] as? Bool == true)
    #expect(answer["earlierBoot"] as? Bool == true)
    // What starts a kernel that -e could not note is the newer handoff.
    linux.files[Self.property] = Self.record(plan: 1)
    #expect(Baton.run(["--last"], system: linux) == .success)
    #expect(linux.output.contains("arrived: plan 0x0000000000000001\n"))
  }

  @Test func `That it did not arrive stays told, too, until the next start`() throws {
    let linux = try loadedMachine()
    try start(linux)
    for number in 2...3 {
      boot(linux, number)
      #expect(Baton.run(["--last"], system: linux) == .negative)
      #expect(try object(linux.files[Self.last])["outcome"] as? String == "didNotArrive")
    }
    linux.files["/run/baton/loaded.json"] = nil
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
    try start(linux)
    #expect(try object(linux.files[Self.last])["outcome"] == nil)
  }

  @Test func `Who may not write may ask all the same`() throws {
    let linux = try loadedMachine()
    try start(linux)
    boot(linux, 2)
    let noted = linux.files[Self.last]
    linux.replaceFailures[Self.last] = .permissionDenied
    linux.isRoot = false
    let before = linux.complaints
    #expect(Baton.run(["--last"], system: linux) == .negative)
    #expect(linux.complaints == before)
    linux.isRoot = true
    linux.replaceFailures[Self.last] = .noSpace
    #expect(Baton.run(["--last"], system: linux) == .negative)
    #expect(linux.complaints.contains("last.json: No space left on device: later boots will not"))
    #expect(linux.files[Self.last] == noted)
  }

  /// `-e`, up to where the kernel goes.
  private func start(_ linux: FakeLinux) throws {
    var atReboot: [UInt8]?
    linux.onReboot = { atReboot = $0.files[Self.last] }
    _ = Baton.run(["-e"], system: linux)
    let noted = try #require(atReboot)
    linux.files[Self.last] = noted
  }

  /// Another boot, whose kernel was not handed anything.
  private func boot(_ linux: FakeLinux, _ number: Int) {
    linux.files["/proc/sys/kernel/random/boot_id"] = Array("boot \(number)\n".utf8)
    linux.files["/sys/kernel/kexec_loaded"] = Array("0\n".utf8)
    linux.files[Self.loaded] = nil
    linux.files[Self.property] = nil
  }

  @Test func `Without -e's record the stage's still says that it arrived`() throws {
    let linux = try FakeLinux.machine()
    linux.files[Self.property] = Self.record(plan: 1)
    #expect(Baton.run(["--last", "--json"], system: linux) == .success)
    let answer = try object(Array(linux.output.utf8))
    #expect(answer["arrived"] as? Bool == true)
    let phases = try #require(answer["microseconds"] as? [String: Any])
    #expect(phases["shutdown"] is NSNull)
    #expect(phases["verify"] as? Int == 300)
  }

  @Test(arguments: [0, 87, 88])
  func `No record, or one that was never written, is no handoff`(size: Int) throws {
    let linux = try FakeLinux.machine()
    linux.files[Self.property] = [UInt8](repeating: 0, count: size)
    #expect(Baton.run(["--last"], system: linux) == .negative)
    #expect(linux.output == "no handoff is on record here\n")
  }

  @Test func `Starting what something else loaded forgets the start before`() throws {
    let linux = try loadedMachine()
    try start(linux)
    linux.files[Self.loaded] = nil
    _ = Baton.run(["-e"], system: linux)
    #expect(linux.files[Self.last] == nil)
  }

  @Test func `A start that cannot be recorded is one all the same`() throws {
    let linux = try loadedMachine()
    linux.fileFailures[Self.last] = .ioError
    _ = Baton.run(["-e"], system: linux)
    #expect(linux.effects.suffix(3) == [.sync, .interfacesDown, .reboot])
    #expect(linux.complaints.contains("warning: /var/lib/baton/last.json"))
  }

  private func loadedMachine() throws -> FakeLinux {
    let linux = try FakeLinux.machine()
    #expect(
      Baton.run(["-l", "/boot/Image", "--append=a \"b\""], system: linux) == .success)
    linux.files["/sys/kernel/kexec_loaded"] = Array("1\n".utf8)
    return linux
  }

  /// As struct baton_handoff_record has it: 1 MHz, entered at 10,000, then 100, 200, 300, 400 µs.
  private static func record(plan: UInt64) -> [UInt8] {
    let words: [UInt64] = [
      0x4452_4f43_524e_5442, 1 | 88 << 32, 1_000_000, 10_000, 10_100, 10_300, 10_600, 11_000, 5, 6,
      plan,
    ]
    return words.flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
    }
  }

  private func object(_ bytes: [UInt8]?) throws -> [String: Any] {
    let bytes = try #require(bytes)
    return try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
  }

  private func number(_ text: Any?) throws -> UInt64 {
    let text = try #require(text as? String)
    return try #require(UInt64(text.dropFirst(2), radix: 16))
  }
}
