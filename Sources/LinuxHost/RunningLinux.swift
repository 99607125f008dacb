import CLinuxHost

/// The kernel that this process runs on.
public struct RunningLinux: LinuxSystem {
  /// What is read whole is small: a limit against endless files.
  private static let readLimit = 16 << 20

  public let imagePointers = ImagePointers()

  public init() {}

  /// Has a write that fails, because its reader has gone or a limit is reached, be an error of that
  /// write only: who is told of a warning may have left, and that ends no load half-way.
  public static func outliveFailedWrites() {
    linux_outlive_failed_writes()
  }

  /// Has the process end with `sentence`, a whole line, and `status` where a file that it has mapped
  /// is not as long any more as it was.
  public static func explainLostFiles(_ sentence: StaticString, status: Int32) {
    // Sound: a static string is NUL-terminated and lives for ever.
    unsafe linux_explain_lost_files(
      UnsafeRawPointer(sentence.utf8Start).assumingMemoryBound(to: CChar.self), status)
  }

  public func read(_ path: String) throws(Errno) -> [UInt8] {
    let content = try read(path, limit: Self.readLimit + 1)
    // The beginning of a file is not the file.
    guard content.count <= Self.readLimit else { throw .fileTooLarge }
    return content
  }

  public func read(
    _ path: String, parts body: (ArraySlice<UInt8>) -> Bool
  ) throws(Errno) {
    // Sound, here and below: the buffers live for the calls that lend them, and the calls are told
    // their sizes.
    let descriptor = unsafe path.withCString { unsafe linux_open_read($0) }
    guard descriptor >= 0 else { throw Errno(failure: Int(descriptor)) }
    defer { linux_close(descriptor) }
    var part = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = unsafe part.withUnsafeMutableBytes {
        unsafe linux_read(descriptor, $0.baseAddress, $0.count)
      }
      guard count >= 0 else { throw Errno(failure: count) }
      guard count > 0, body(part[..<count]) else { return }
    }
  }

  public func read(_ path: String, at offset: UInt64, count: Int) throws(Errno) -> [UInt8] {
    let descriptor = unsafe path.withCString { unsafe linux_open_read($0) }
    guard descriptor >= 0 else { throw Errno(failure: Int(descriptor)) }
    defer { linux_close(descriptor) }
    var content = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let read = unsafe content.withUnsafeMutableBytes {
        unsafe linux_read_at(
          descriptor, $0.baseAddress.map { unsafe $0 + done }, count - done,
          offset &+ UInt64(done))
      }
      guard read >= 0 else { throw Errno(failure: read) }
      guard read > 0 else { break }
      done += read
    }
    return Array(content.prefix(done))
  }

  public func map(
    _ path: String, progress: (_ done: UInt64, _ total: UInt64) -> Void
  ) throws(Errno) -> MappedFile {
    try MappedFile(path: path, progress: progress)
  }

  public func replace(_ path: String, with content: [UInt8]) throws(Errno) {
    // Sound: both buffers live for the call.
    let status = unsafe path.withCString { path in
      unsafe content.withUnsafeBytes {
        unsafe linux_replace_file(path, $0.baseAddress, $0.count)
      }
    }
    guard status == 0 else { throw Errno(failure: status) }
  }

  public func lock(_ path: String) throws(Errno) {
    let status = unsafe path.withCString { unsafe linux_lock_file($0) }
    guard status == 0 else { throw Errno(failure: status) }
  }

  public func remove(_ path: String) throws(Errno) {
    let status = unsafe path.withCString { unsafe linux_remove_file($0) }
    guard status == 0 else { throw Errno(failure: status) }
  }

  public func write(_ text: String, to stream: OutputStream) {
    var text = text
    // Sound: the buffer lives for the closure. A stream that takes nothing more has no reader:
    // there is nobody to tell.
    text.withUTF8 { bytes in
      guard let base = bytes.baseAddress else { return }
      var written = 0
      while written < bytes.count {
        let count = unsafe linux_write(
          stream == .standardOutput ? 1 : 2, base + written, bytes.count - written)
        guard count > 0 else { return }
        written += count
      }
    }
  }

  public func tellEachSecond(_ texts: [String]) {
    var lines: [UInt8] = []
    for text in texts { lines += Array(text.utf8) + [0] }
    // Sound: the function copies as many bytes as it is told.
    unsafe lines.withUnsafeBytes {
      unsafe linux_tell_each_second(2, $0.baseAddress, $0.count)
    }
  }

  public func stopTelling() { linux_stop_telling() }

  public func log(_ line: String) throws(Errno) {
    // Sound: both buffers live for the call.
    let status = unsafe "/dev/kmsg".withCString { path in
      unsafe Array(line.utf8).withUnsafeBytes {
        unsafe linux_write_record(path, $0.baseAddress, $0.count)
      }
    }
    guard status == 0 else { throw Errno(failure: status) }
  }

  public var isErrorTerminal: Bool { linux_is_terminal(2) != 0 }

  public var milliseconds: UInt64 { linux_milliseconds() }

  public func kexecLoad(
    entry: UInt64, segments: UnsafeBufferPointer<linux_kexec_segment>, slot: KexecSlot
  ) throws(Errno) {
    var flags = UInt64(LINUX_KEXEC_ARCH_AARCH64)
    if slot == .crash { flags |= UInt64(LINUX_KEXEC_ON_CRASH) }
    // Sound: the kernel copies the list and what it points to; the caller vouches for both.
    let status = unsafe linux_kexec_load(entry, segments.count, segments.baseAddress, flags)
    guard status == 0 else { throw Errno(failure: status) }
  }

  public func kexecFileLoad(
    kernel: String, initrd: FileLoadInitrd, commandLine: [UInt8], slot: KexecSlot
  ) throws(Errno) {
    // Sound: the C string lives for the call.
    let kernelFile = unsafe kernel.withCString { unsafe linux_open_read($0) }
    guard kernelFile >= 0 else { throw Errno(failure: Int(kernelFile)) }
    defer { linux_close(kernelFile) }
    let initrdFile: Int32 =
      switch initrd {
      case .none: -1
      // Sound: as above.
      case .file(let path): unsafe path.withCString { unsafe linux_open_read($0) }
      case .zeros(let count): linux_open_zeros(count)
      }
    guard initrdFile >= 0 || initrd == .none else { throw Errno(failure: Int(initrdFile)) }
    defer { if initrdFile >= 0 { linux_close(initrdFile) } }
    let line = commandLine + [0]
    var flags: UInt64 = initrd == .none ? UInt64(LINUX_KEXEC_FILE_NO_INITRAMFS) : 0
    if slot == .crash { flags |= UInt64(LINUX_KEXEC_FILE_ON_CRASH) }
    // Sound: the kernel copies the line, of the size that it is told.
    let status = unsafe line.withUnsafeBytes {
      unsafe linux_kexec_file_load(kernelFile, initrdFile, $0.count, $0.baseAddress, flags)
    }
    guard status == 0 else { throw Errno(failure: status) }
  }

  public func kexecFileUnload(_ slot: KexecSlot) throws(Errno) {
    var flags = UInt64(LINUX_KEXEC_FILE_UNLOAD)
    if slot == .crash { flags |= UInt64(LINUX_KEXEC_FILE_ON_CRASH) }
    let status = linux_kexec_file_load(-1, -1, 0, nil, flags)
    guard status == 0 else { throw Errno(failure: status) }
  }

  public func sync() {
    linux_sync()
  }

  public func rebootIntoLoadedKernel() -> Errno {
    Errno(failure: linux_reboot_kexec())
  }

  public func takeInterfacesDown() -> (names: [String], failure: Errno?) {
    var list: UnsafeMutablePointer<CChar>?
    let status = unsafe linux_interfaces_down(&list)
    var names: [String] = []
    // Sound: the list is names with their terminators up to an empty one, and is freed once, here.
    if var name = unsafe list {
      while unsafe name.pointee != 0 {
        names.append(unsafe String(cString: name))
        // Not by the text's length: bytes that are no UTF-8 are longer there.
        while unsafe name.pointee != 0 { unsafe name += 1 }
        unsafe name += 1
      }
      unsafe linux_free(list)
    }
    return (names, status == 0 ? nil : Errno(failure: status))
  }

  public func bringUp(_ interface: String) throws(Errno) {
    // Sound: the text lives for the call.
    let status = unsafe interface.withCString { unsafe linux_interface_up($0) }
    guard status == 0 else { throw Errno(failure: status) }
  }

  public func sleep(milliseconds: UInt64) {
    linux_sleep(milliseconds)
  }

  public func replaceByShutdown() -> Errno {
    Errno(failure: linux_exec_shutdown())
  }

  public func randomBytes(_ count: Int) throws(Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let status = unsafe bytes.withUnsafeMutableBytes {
      unsafe linux_random($0.baseAddress, $0.count)
    }
    guard status == 0 else { throw Errno(failure: status) }
    return bytes
  }

  public var counter: UInt64 { linux_counter() }

  public var time: UInt64 { linux_time() }

  public var buildID: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    // Sound: the call is told the buffer's size.
    let size = unsafe bytes.withUnsafeMutableBufferPointer {
      unsafe linux_build_id($0.baseAddress, $0.count)
    }
    return Array(bytes.prefix(size))
  }

  public var isRoot: Bool { linux_effective_user() == 0 }

  public var pageSize: UInt64 { UInt64(linux_page_size()) }

  public var has52BitAddresses: Bool { linux_has_52_bit_addresses() != 0 }

  public var hasSHA256Instructions: Bool { linux_has_sha2() != 0 }
}
