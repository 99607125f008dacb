import CLinuxHost
import Foundation
import LinuxHost
import Testing

/// The real system calls, as far as an unprivileged test on any Linux may make them.
@Suite struct RunningLinuxTests {
  private let linux = RunningLinux()

  @Test func `A file is mapped byte for byte`() throws {
    try inDirectory { directory in
      // More than what is read at once, and no whole pages.
      let content = (0..<(9 << 20) + 1).map { UInt8(truncatingIfNeeded: ($0 &* 7) ^ ($0 >> 12)) }
      let path = directory + "/file"
      try Data(content).write(to: URL(fileURLWithPath: path))
      var reports: [UInt64] = []
      let file = try linux.map(path) { done, total in
        reports.append(done)
        #expect(total == UInt64(content.count))
      }
      #expect(reports == [4 << 20, 8 << 20, (9 << 20) + 1])
      #expect(file.byteCount == content.count)
      #expect(
        file.withBytes { bytes in bytes.byteOffsets.allSatisfy { byte(bytes, $0) == content[$0] } })
    }
  }

  @Test func `A mapped file that becomes shorter ends the process with a sentence`() async throws {
    let result = await #expect(
      processExitsWith: .exitCode(3), observing: [\.standardErrorContent]
    ) {
      RunningLinux.explainLostFiles("a file was lost\n", status: 3)
      let path = FileManager.default.temporaryDirectory.path + "/lost-\(UUID().uuidString)"
      try Data(repeating: 1, count: 1 << 20).write(to: URL(fileURLWithPath: path))
      let file = try RunningLinux().map(path) { _, _ in }
      defer { try? FileManager.default.removeItem(atPath: path) }
      try Data().write(to: URL(fileURLWithPath: path))
      // Sound: the offset is inside, as far as this process can know.
      file.withBytes { bytes in
        precondition(unsafe bytes.unsafeLoad(fromByteOffset: 1 << 19, as: UInt8.self) == 1)
      }
    }
    let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(words.contains("a file was lost\n"))
  }

  @Test func `Lines are told on a terminal one after the other, and none once that is over`() throws
  {
    // Sound: the name is a literal.
    let terminal = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY)
    try #require(terminal >= 0)
    defer { close(terminal) }
    // TIOCSPTLCK and TIOCGPTPEER (ioctl_tty(2)): unlocks the other end, and opens it.
    var isLocked: Int32 = 0
    // Sound: the request takes an int.
    #expect(unsafe ioctl(terminal, 0x4004_5431, &isLocked) == 0)
    let end = ioctl(terminal, 0x5441, O_RDWR | O_NOCTTY)
    try #require(end >= 0)
    defer { close(end) }
    let lines = (1...99).map { "\rline \($0)." }
    let bytes = Array(lines.map { $0 + "\0" }.joined().utf8)
    // Sound: as many bytes as there are.
    unsafe bytes.withUnsafeBytes { unsafe linux_tell_each_second(end, $0.baseAddress, $0.count) }
    var told = ""
    // This thread is in system calls meanwhile.
    func readUntil(_ words: String) {
      while !told.contains(words) {
        // From here on: a limit of the test's own would count the time that it waits for its turn.
        var ready = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
        // Sound: one structure is one.
        guard unsafe poll(&ready, 1, 120_000) == 1 else { return }
        var buffer = [UInt8](repeating: 0, count: 4096)
        // Sound: the buffer is as large as it says.
        let count = unsafe buffer.withUnsafeMutableBytes {
          unsafe read(terminal, $0.baseAddress, $0.count)
        }
        guard count > 0 else { return }
        told += String(decoding: buffer[..<count], as: UTF8.self)
      }
    }
    readUntil("line 2.")
    linux_stop_telling()
    // Sound: the literal has three bytes.
    unsafe _ = write(end, "end", 3)
    readUntil("end")
    let count = told.ranges(of: "line").count
    #expect(count >= 2)
    #expect(told == lines.prefix(count).joined() + "end")
    var more = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
    // Sound: one structure is one.
    #expect(unsafe poll(&more, 1, 1500) == 0)
    linux_stop_telling()
  }

  @Test func `What cannot be mapped is refused with the reason`() throws {
    try inDirectory { directory in
      #expect(refusal(mapping: directory + "/none") == .noSuchFile)
      #expect(refusal(mapping: directory) == .isDirectory)
      let empty = directory + "/empty"
      try Data().write(to: URL(fileURLWithPath: empty))
      #expect(refusal(mapping: empty) == .invalidArgument)
      #expect(refusal(mapping: empty + "/below") == .notDirectory)
      #expect(refusal(mapping: "/dev/null") == .invalidArgument)
    }
  }

  @Test func `A named pipe without a writer is refused at once`() async {
    await #expect(processExitsWith: .success) {
      // What blocks here is ended.
      alarm(60)
      let pipe = FileManager.default.temporaryDirectory.path + "/pipe-" + UUID().uuidString
      // Sound: the path is a string that lives for the call.
      let status = unsafe mkfifo(pipe, 0o600)
      precondition(status == 0)
      defer { try? FileManager.default.removeItem(atPath: pipe) }
      var refusal: Errno?
      do throws(Errno) { _ = try RunningLinux().map(pipe) { _, _ in }.byteCount } catch {
        refusal = error
      }
      precondition(refusal == .invalidArgument)
    }
  }

  @Test func `A file is replaced whole, in folders that are made for it`() throws {
    try inDirectory { directory in
      let path = directory + "/a/b/file"
      let large = [UInt8](repeating: 7, count: 300_000)
      try linux.replace(path, with: large)
      #expect(try linux.read(path) == large)
      try linux.replace(path, with: [1])
      #expect(try linux.read(path) == [1])
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: directory + "/a/b") == ["file"])
      try linux.remove(path)
      #expect(throws: Errno.noSuchFile) { try linux.remove(path) }
    }
  }

  /// In a process of its own: the umask is the whole process's.
  @Test func `Everybody may read a record, whatever the umask`() async {
    await #expect(processExitsWith: .success) {
      umask(0o077)
      let directory = FileManager.default.temporaryDirectory.path + "/" + UUID().uuidString
      defer { try? FileManager.default.removeItem(atPath: directory) }
      let path = directory + "/a/b/file"
      try RunningLinux().replace(path, with: [1])
      for (name, mode) in [("/a", 0o755), ("/a/b", 0o755), ("/a/b/file", 0o644)] {
        let attributes = try FileManager.default.attributesOfItem(atPath: directory + name)
        precondition(attributes[.posixPermissions] as? Int == mode, name)
      }
    }
  }

  @Test func `A file that cannot be replaced stays as it was`() throws {
    try inDirectory { directory in
      #expect(throws: Errno.self) { try linux.replace("/dev/null/x", with: [1]) }
      let path = directory + "/folder"
      try FileManager.default.createDirectory(
        atPath: path + "/x", withIntermediateDirectories: true)
      #expect(throws: Errno.isDirectory) { try linux.replace(path, with: [1]) }
      // What was written on the way is gone.
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["folder"])
    }
  }

  @Test func `A file too large to be read whole is refused, not cut`() throws {
    try inDirectory { directory in
      let path = directory + "/file"
      let limit = 16 << 20
      try Data(count: limit).write(to: URL(fileURLWithPath: path))
      #expect(try linux.read(path).count == limit)
      try Data(count: limit + 1).write(to: URL(fileURLWithPath: path))
      #expect(throws: Errno.fileTooLarge) { try linux.read(path) }
    }
  }

  @Test func `A file is never written through what lies in its way`() throws {
    try inDirectory { directory in
      let victim = directory + "/victim"
      try Data([1, 2, 3]).write(to: URL(fileURLWithPath: victim))
      // Sound: both are strings that live for the calls.
      try #require(unsafe Glibc.link(victim, directory + "/hard.\(getpid()).new") == 0)
      try #require(unsafe Glibc.symlink(victim, directory + "/soft.\(getpid()).new") == 0)
      for name in ["hard", "soft"] {
        try linux.replace(directory + "/" + name, with: [9])
        #expect(try linux.read(directory + "/" + name) == [9])
      }
      #expect(try linux.read(victim) == [1, 2, 3])
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
          == ["hard", "soft", "victim"])
    }
  }

  @Test func `A lock is one's own, and makes its folder`() throws {
    try inDirectory { directory in
      let path = directory + "/folder/lock"
      try linux.lock(path)
      #expect(throws: Errno.wouldBlock) { try linux.lock(path) }
      try linux.lock(directory + "/folder/other")
      #expect(throws: Errno.notDirectory) { try linux.lock(path + "/below") }
    }
  }

  @Test func `The counter runs forward`() {
    let first = linux.counter
    #expect(linux.counter >= first)
    #expect(first > 0)
    #expect(linux.time > 1_700_000_000)
  }

  @Test func `Bytes of memory are mapped as they are`() throws {
    let memory = try MappedFile(copying: [1, 2, 3])
    #expect(memory.withBytes { bytes in bytes.byteOffsets.map { byte(bytes, $0) } } == [1, 2, 3])
    #expect(throws: Errno.invalidArgument) { _ = try MappedFile(copying: []).byteCount }
  }

  @Test func `A file without a size is read to its end`() throws {
    let version = try linux.read("/proc/version")
    #expect(version.starts(with: "Linux version ".utf8))
    #expect(version.last == UInt8(ascii: "\n"))
    // More than one read's worth.
    try inDirectory { directory in
      let content = [UInt8](repeating: 0x5A, count: 70_000)
      try Data(content).write(to: URL(fileURLWithPath: directory + "/file"))
      #expect(try linux.read(directory + "/file") == content)
    }
  }

  @Test func `What cannot be read is refused with the reason`() throws {
    #expect(throws: Errno.noSuchFile) { try linux.read("/proc/no such file") }
    #expect(throws: Errno.isDirectory) { try linux.read("/proc") }
  }

  @Test func `Random bytes are as many as asked for, and others each time`() throws {
    let first = try linux.randomBytes(64)
    #expect(first.count == 64)
    #expect(try linux.randomBytes(64) != first)
    #expect(try linux.randomBytes(0).isEmpty)
  }

  @Test func `The page size is a power of two that a granule has`() {
    #expect([4096, 16384, 65536].contains(linux.pageSize))
  }

  @Test func `A file without an end is refused`() {
    #expect(throws: Errno.fileTooLarge) { try linux.read("/dev/zero") }
  }

  @Test func `A number that kexec_load answers is handed on`() {
    // 17 segments are refused by every kernel before it looks at them, by root or not.
    let segments = unsafe [linux_kexec_segment](repeating: linux_kexec_segment(), count: 17)
    var refusal: Errno?
    unsafe segments.withUnsafeBufferPointer { segments in
      do throws(Errno) {
        // Sound: the segments live for the closure.
        try unsafe linux.kexecLoad(entry: 0, segments: segments, slot: .normal)
      } catch {
        refusal = error
      }
    }
    let possible: [Errno?] = [.notPermitted, .invalidArgument, .noSuchSystemCall]
    #expect(possible.contains(refusal))
  }

  @Test func `Root is who has the effective user 0`() {
    #expect(linux.isRoot == (geteuid() == 0))
  }

  private func refusal(mapping path: String) -> Errno? {
    do throws(Errno) {
      _ = try linux.map(path) { _, _ in }.byteCount
      return nil
    } catch {
      return error
    }
  }

  private func byte(_ bytes: RawSpan, _ offset: Int) -> UInt8 {
    // Sound: the offset is one of the span's.
    unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  private func inDirectory(_ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.path + "/" + UUID().uuidString
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try body(directory)
  }
}
