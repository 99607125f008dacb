import CLinuxHost
import LinuxHost

/// A Linux that answers from memory, records what it was asked to do, and refuses on demand.
final class FakeLinux: LinuxSystem, CustomReflectable {
  /// A call that changes something, or was to.
  enum Effect: Equatable {
    case kexecLoad(slot: KexecSlot, entry: UInt64, segments: [Segment])
    case kexecFileLoad(
      slot: KexecSlot = .normal, kernel: String, initrd: FileLoadInitrd, commandLine: String)
    case kexecFileUnload(KexecSlot = .normal)
    case sync
    case interfacesDown
    case interfaceUp(String)
    case reboot
    case shutdown
  }

  struct Segment: Equatable {
    let bytes: [UInt8]
    let destination: UInt64
    let memorySize: Int
  }

  /// Nothing: an expectation that fails describes what it was about, byte by byte, and does not come to
  /// an end with an image.
  var customMirror: Mirror { Mirror(self, children: []) }

  var files: [String: [UInt8]] = [:]
  /// Real files that stand behind paths that are mapped.
  var realFiles: [String: String] = [:]
  /// What reading or mapping a path fails with.
  var fileFailures: [String: Errno] = [:]
  /// What replacing one fails with.
  var replaceFailures: [String: Errno] = [:]
  var kexecLoadFailure: Errno?
  /// What loading this slot fails with; unloading it works.
  var slotFailures: [KexecSlot: Errno] = [:]
  var kexecFileLoadFailure: Errno?
  /// What an initrd of zeros is refused with.
  var zerosFailure: Errno?
  /// The network interfaces that are up, but the loopback.
  var interfaces: [String] = []
  var interfaceFailure: Errno?
  /// What bringing one up fails with.
  var interfaceUpFailures: [String: Errno] = [:]
  var rebootFailure = Errno.invalidArgument
  var randomFailure: Errno?
  var counter: UInt64 = 0x1000
  var time: UInt64 = 1_700_000_000
  var isRoot = true
  var buildID: [UInt8] = [0x0a, 0xff, 0x10]
  var pageSize: UInt64 = 4096
  var hasSHA256Instructions = false
  var has52BitAddresses = false

  /// Which of the calls that may fail does, counted from 0, and how; nil: none.
  var failingCall: (index: Int, error: Errno)?
  /// The calls that may fail, so far.
  private(set) var callCount = 0
  /// How often a path was read, and how much of one that was read in parts.
  private(set) var readCounts: [String: Int] = [:]
  private(set) var bytesRead: [String: Int] = [:]
  /// Of this process: tests take a new one where they change what it was found out from.
  var imagePointers = ImagePointers()
  /// What the normal slot holds: the effect that filled it.
  private(set) var normalSlot: Effect?
  /// The same of the crash slot.
  private(set) var crashSlot: Effect?
  /// Where the last `kexec_file_load(2)` of each slot has put what.
  private(set) var placedByKernel: [KexecSlot: [Segment]] = [:]

  /// Called where file systems are written back.
  var onSync: (FakeLinux) -> Void = { _ in }
  /// Called where `reboot(2)` has its effect.
  var onReboot: (FakeLinux) -> Void = { _ in }
  /// Called where something is written for people.
  var onWrite: (FakeLinux, String) -> Void = { _, _ in }
  var lockFailure: Errno?
  /// How often the lock was asked for.
  private(set) var lockCount = 0
  /// Called before it sleeps.
  var onSleep: (FakeLinux) -> Void = { _ in }
  /// Whether its memory shows what the slots hold.
  var showsMemory = false {
    didSet {
      imagePointers = ImagePointers()
      if showsMemory { showMemory() }
    }
  }
  /// What any call for this slot is refused with, before it has an effect.
  var slotRefusals: [KexecSlot: Errno] = [:]
  /// Called where `kexec_load(2)` has its effect.
  var onKexecLoad: (FakeLinux) -> Void = { _ in }

  /// Called where `kexec_file_load(2)` has its effect.
  var onKexecFileLoad: (FakeLinux) -> Void = { _ in }

  private(set) var effects: [Effect] = []
  private(set) var output = ""
  private(set) var complaints = ""
  /// The warning about a command line without panic=, which `complaints` leaves out.
  var warnsOfPanic: Bool { warningsOfPanic > 0 }
  private(set) var warningsOfPanic = 0
  private(set) var kernelLog = ""
  var logFailure: Errno?
  var isErrorTerminal = false
  /// By which the clock goes on each time it is asked, in milliseconds.
  var clockStep: UInt64 = 1
  private var clock: UInt64 = 0
  /// In milliseconds.
  private(set) var slept: UInt64 = 0
  /// How long `kexec_load(2)` takes, in seconds.
  var secondsOfLoading = 0
  /// What is written after each second, while it is.
  private var told: [String] = []
  /// Whether lines are still told, and what else was written between them.
  private(set) var isTelling = false
  private(set) var saidBetween = ""

  /// Another machine in the same state, that nothing was asked of yet.
  func copy() -> FakeLinux {
    let copy = FakeLinux()
    copy.files = files
    copy.normalSlot = normalSlot
    copy.crashSlot = crashSlot
    copy.placedByKernel = placedByKernel
    return copy
  }

  private func countCall() throws(Errno) {
    defer { callCount += 1 }
    if let failingCall, failingCall.index == callCount { throw failingCall.error }
  }

  func read(_ path: String) throws(Errno) -> [UInt8] {
    try countCall()
    readCounts[path, default: 0] += 1
    if let failure = fileFailures[path] { throw failure }
    guard let content = files[path] else { throw .noSuchFile }
    return content
  }

  func read(_ path: String, parts body: (ArraySlice<UInt8>) -> Bool) throws(Errno) {
    let content = try read(path)
    bytesRead[path] = 0
    // Parts whose ends are nothing's.
    for start in stride(from: 0, to: content.count, by: 997) {
      let part = content[start..<min(start + 997, content.count)]
      bytesRead[path, default: 0] += part.count
      guard body(part) else { return }
    }
  }

  func read(_ path: String, at offset: UInt64, count: Int) throws(Errno) -> [UInt8] {
    let content = try read(path)
    guard offset < UInt64(content.count) else { return [] }
    return Array(content[Int(offset)...].prefix(count))
  }

  func map(
    _ path: String, progress: (_ done: UInt64, _ total: UInt64) -> Void
  ) throws(Errno) -> MappedFile {
    if let real = realFiles[path] { return try MappedFile(path: real, progress: progress) }
    let content = try read(path)
    let total = UInt64(content.count)
    for done in stride(from: 1 << 20, to: total, by: 1 << 20) { progress(done, total) }
    progress(total, total)
    return try MappedFile(copying: content)
  }

  func replace(_ path: String, with content: [UInt8]) throws(Errno) {
    try countCall()
    if let failure = fileFailures[path] ?? replaceFailures[path] { throw failure }
    files[path] = content
  }

  func remove(_ path: String) throws(Errno) {
    try countCall()
    guard files.removeValue(forKey: path) != nil else { throw .noSuchFile }
  }

  func lock(_ path: String) throws(Errno) {
    try countCall()
    lockCount += 1
    if let lockFailure { throw lockFailure }
  }

  func write(_ text: String, to stream: OutputStream) {
    onWrite(self, text)
    switch stream {
    case .standardOutput: output += text
    case .standardError:
      if isTelling { saidBetween += text }
      // Nearly every load of the tests would get this one.
      if text.contains("no panic= on") { warningsOfPanic += 1 } else { complaints += text }
    }
  }

  func tellEachSecond(_ texts: [String]) {
    told = texts
    isTelling = true
  }

  func stopTelling() {
    told = []
    isTelling = false
  }

  func log(_ line: String) throws(Errno) {
    if let logFailure { throw logFailure }
    kernelLog += line
  }

  var milliseconds: UInt64 {
    clock += clockStep
    return clock
  }

  func kexecLoad(
    entry: UInt64, segments: UnsafeBufferPointer<linux_kexec_segment>, slot: KexecSlot
  ) throws(Errno) {
    var copies: [Segment] = []
    for index in 0..<segments.count {
      // Sound: the caller vouches for the buffer of each segment, as it does to the kernel.
      let segment = unsafe segments[index]
      let bytes = unsafe [UInt8](
        UnsafeRawBufferPointer(start: segment.buf, count: segment.bufsz))
      unsafe copies.append(
        Segment(bytes: bytes, destination: segment.mem, memorySize: segment.memsz))
    }
    onKexecLoad(self)
    complaints += told.prefix(secondsOfLoading).joined()
    told.removeFirst(min(secondsOfLoading, told.count))
    try countCall()
    effects.append(.kexecLoad(slot: slot, entry: entry, segments: copies))
    if let failure = kexecLoadFailure ?? slotRefusals[slot] { throw failure }
    // A crash image is freed before a new one is looked at.
    if slot == .crash { setLoaded(.crash, false) }
    if !copies.isEmpty, let failure = slotFailures[slot] { throw failure }
    setLoaded(slot, !copies.isEmpty)
    hold(copies.isEmpty ? nil : effects.last, in: slot)
  }

  private func hold(_ content: Effect?, in slot: KexecSlot) {
    switch slot {
    case .normal: normalSlot = content
    case .crash: crashSlot = content
    }
    if showsMemory { showMemory() }
  }

  func setLoaded(_ slot: KexecSlot, _ isLoaded: Bool) {
    files[slot == .normal ? "/sys/kernel/kexec_loaded" : "/sys/kernel/kexec_crash_loaded"] =
      Array((isLoaded ? "1\n" : "0\n").utf8)
  }

  func kexecFileLoad(
    kernel: String, initrd: FileLoadInitrd, commandLine: [UInt8], slot: KexecSlot
  ) throws(Errno) {
    onKexecFileLoad(self)
    try countCall()
    effects.append(
      .kexecFileLoad(
        slot: slot, kernel: kernel, initrd: initrd,
        commandLine: String(decoding: commandLine, as: UTF8.self)))
    // As kexec_load(2) does.
    if slot == .crash { setLoaded(.crash, false) }
    if let kexecFileLoadFailure { throw kexecFileLoadFailure }
    if case .zeros = initrd, let zerosFailure { throw zerosFailure }
    setLoaded(slot, true)
    placedByKernel[slot] = placing(
      kernel: kernel, initrd: initrd, commandLine: commandLine, slot: slot)
    hold(effects.last, in: slot)
  }

  func kexecFileUnload(_ slot: KexecSlot) throws(Errno) {
    effects.append(.kexecFileUnload(slot))
    if let kexecFileLoadFailure { throw kexecFileLoadFailure }
    setLoaded(slot, false)
    hold(nil, in: slot)
  }

  func sync() {
    onSync(self)
    effects.append(.sync)
  }

  func rebootIntoLoadedKernel() -> Errno {
    onReboot(self)
    effects.append(.reboot)
    return rebootFailure
  }

  func takeInterfacesDown() -> (names: [String], failure: Errno?) {
    effects.append(.interfacesDown)
    defer { interfaces = [] }
    return (interfaces, interfaceFailure)
  }

  func bringUp(_ interface: String) throws(Errno) {
    effects.append(.interfaceUp(interface))
    if let failure = interfaceUpFailures[interface] { throw failure }
    interfaces.append(interface)
  }

  func sleep(milliseconds: UInt64) {
    onSleep(self)
    slept += milliseconds
    clock += milliseconds
  }

  func replaceByShutdown() -> Errno {
    effects.append(.shutdown)
    return .noSuchFile
  }

  func randomBytes(_ count: Int) throws(Errno) -> [UInt8] {
    try countCall()
    if let randomFailure { throw randomFailure }
    return (0..<count).map { UInt8(truncatingIfNeeded: $0 + 1) }
  }
}
