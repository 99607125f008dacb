import CLinuxHost

/// The slot of `kexec_load(2)` that is meant. The two are independent.
public enum KexecSlot: Sendable, Hashable, CaseIterable {
  case normal
  case crash
}

/// A stream of the process.
public enum OutputStream: Sendable, Hashable {
  case standardOutput
  case standardError
}

/// Everything that Baton asks of the kernel, so that tests can answer instead of it.
///
/// A generic parameter everywhere, never an existential: the static command is Embedded Swift.
public protocol LinuxSystem {
  /// The whole content of a small file, such as those in /proc and /sys, which have no size.
  ///
  /// - Throws: what open(2) or read(2) say; `Errno.fileTooLarge` for more than 16 MiB.
  func read(_ path: String) throws(Errno) -> [UInt8]

  /// Calls `body` with a file that may have no end, part by part from its beginning, until it returns
  /// false.
  ///
  /// - Throws: what open(2) or read(2) say.
  func read(_ path: String, parts body: (ArraySlice<UInt8>) -> Bool) throws(Errno)

  /// The bytes at `offset` in a file, fewer than `count` where it ends before.
  ///
  /// - Throws: what open(2) or pread(2) say.
  func read(_ path: String, at offset: UInt64, count: Int) throws(Errno) -> [UInt8]

  /// A file of any size, mapped. See `MappedFile.init(path:progress:)`.
  func map(
    _ path: String, progress: (_ done: UInt64, _ total: UInt64) -> Void
  ) throws(Errno) -> MappedFile

  /// Puts a file with this content at `path`, whole or not at all, even if power fails; makes the
  /// folders that it lies in.
  func replace(_ path: String, with content: [UInt8]) throws(Errno)

  /// Takes an exclusive lock on a file until this process ends: flock(2). Makes the file and the
  /// folders that it lies in.
  ///
  /// - Throws: `Errno.wouldBlock` where another process has it.
  func lock(_ path: String) throws(Errno)

  /// Removes a file: unlink(2).
  func remove(_ path: String) throws(Errno)

  func write(_ text: String, to stream: OutputStream)

  /// Writes one of these to standard error after each second, whatever this thread does meanwhile: a call
  /// of the kernel's that lasts.
  func tellEachSecond(_ texts: [String])

  /// Ends that. Nothing of it is written behind this.
  func stopTelling()

  /// Adds a line to the kernel's log: /dev/kmsg.
  func log(_ line: String) throws(Errno)

  /// Whether standard error is a terminal: somebody may be watching.
  var isErrorTerminal: Bool { get }

  /// Milliseconds of a clock that never goes back.
  var milliseconds: UInt64 { get }

  /// `kexec_load(2)`; no segments unload the slot.
  func kexecLoad(
    entry: UInt64, segments: UnsafeBufferPointer<linux_kexec_segment>, slot: KexecSlot
  ) throws(Errno)

  /// `kexec_file_load(2)`: the kernel reads both files itself.
  ///
  /// - Parameter commandLine: without a terminator.
  /// - Throws: what open(2), memfd_create(2) or the call say.
  func kexecFileLoad(
    kernel: String, initrd: FileLoadInitrd, commandLine: [UInt8], slot: KexecSlot
  ) throws(Errno)

  /// `kexec_file_load(2)` with KEXEC_FILE_UNLOAD: empties a slot where a kernel that is locked down
  /// takes no other call.
  func kexecFileUnload(_ slot: KexecSlot) throws(Errno)

  /// Writes all file systems back: sync(2).
  func sync()

  /// `reboot(2)` with LINUX_REBOOT_CMD_KEXEC. Returns only where it fails.
  func rebootIntoLoadedKernel() -> Errno

  /// Takes every network interface down that is up, but the loopback, and goes on behind one that
  /// cannot be.
  ///
  /// - Returns: those that it took down, in its order, and the first failure.
  func takeInterfacesDown() -> (names: [String], failure: Errno?)

  /// Brings a network interface up.
  func bringUp(_ interface: String) throws(Errno)

  /// Does nothing for so long.
  func sleep(milliseconds: UInt64)

  /// Replaces this process by `shutdown -r now`. Returns only where it fails.
  func replaceByShutdown() -> Errno

  /// Random bytes of the kernel's generator: getrandom(2).
  func randomBytes(_ count: Int) throws(Errno) -> [UInt8]

  /// The architectural counter (CNTVCT_EL0), which runs on through a kexec.
  var counter: UInt64 { get }

  /// Seconds since 1970: time(2).
  var time: UInt64 { get }

  /// What was found out about the running kernel's own pointers.
  var imagePointers: ImagePointers { get }

  /// The build id that the linker gave this program; empty where it gave none.
  var buildID: [UInt8] { get }

  var isRoot: Bool { get }

  /// The running kernel's page size in bytes.
  var pageSize: UInt64 { get }

  /// Whether processes of this kernel may have virtual addresses of 52 bits.
  var has52BitAddresses: Bool { get }

  /// Whether this CPU has the SHA-256 instructions, as the kernel says.
  var hasSHA256Instructions: Bool { get }
}

extension LinuxSystem {
  /// The first bytes of a file that may have no end, `limit` at most.
  ///
  /// - Throws: what open(2) or read(2) say.
  func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
    var content: [UInt8] = []
    try read(path) { part in
      content += part.prefix(limit - content.count)
      return content.count < limit
    }
    return content
  }
}
