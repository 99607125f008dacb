import BootFormats
import CLinuxHost
import Foundation
import LinuxHost

/// The files of an arm64 machine in a folder of their own, removed at the end. Both forms of the
/// command read them: the arm64 program through the emulator's prefix for file names, the host's
/// through `LinuxSystem`.
final class MachineFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try write(Self.image, to: "/boot/Image")
    try write([UInt8](repeating: 0x5a, count: 10_000), to: "/boot/initrd")
    try write(try Self.tree().serialized(), to: "/sys/firmware/fdt")
    try write("0\n", to: "/sys/kernel/kexec_loaded")
    try write("0\n", to: "/sys/kernel/kexec_crash_loaded")
    try write("console=ttyAMA0\n", to: "/proc/cmdline")
    try write(
      "ttyAMA0              -W- (EC p a  )  204:64\n", to: "/proc/consoles")
    try write("0x9000000\n", to: "/sys/class/tty/ttyAMA0/iomem_base")
    for cpus in ["online", "possible", "present"] {
      try write("0\n", to: "/sys/devices/system/cpu/" + cpus)
    }
    try write(
      """
      09000000-09000fff : pl011@9000000
      40000000-bfffffff : System RAM
        40210000-415fffff : Kernel code
        41600000-4190ffff : reserved
        41910000-41c9ffff : Kernel data
        48000000-480fffff : reserved

      """, to: "/proc/iomem")
    try setTimerInterrupt(30)
  }

  deinit {
    try? FileManager.default.removeItem(at: url)
  }

  /// The interrupt of the timer that the kernel drives, which tells its exception level.
  func setTimerInterrupt(_ number: Int) throws {
    try write(
      "           CPU0\n 11:       2613     GICv3  \(number) Level     arch_timer\n",
      to: "/proc/interrupts")
  }

  func write(_ text: String, to path: String) throws {
    try write(Array(text.utf8), to: path)
  }

  func write(_ bytes: [UInt8], to path: String) throws {
    let file = url.appending(path: path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
  }

  /// An Image that asks for 2 MiB anywhere.
  private static var image: [UInt8] {
    var bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
    for (value, offset) in [(0, 0), (0, 8), (0x20_0000, 16), (0b1010, 24), (0x644d_5241, 56)] {
      for index in 0..<8 {
        bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
      }
    }
    return bytes
  }

  private static func tree() -> DeviceTree {
    var tree = DeviceTree()
    let root = tree.root
    tree.setProperty("#address-cells", of: root, to: .init(2 as UInt32))
    tree.setProperty("#size-cells", of: root, to: .init(2 as UInt32))
    let psci = tree.addNode("psci", under: root)
    tree.setProperty("compatible", of: psci, to: .init("arm,psci-1.0"))
    tree.setProperty("method", of: psci, to: .init("smc"))
    let uart = tree.addNode("pl011@9000000", under: root)
    tree.setProperty("compatible", of: uart, to: .init("arm,pl011"))
    var registers = DeviceTree.PropertyValue(bytes: [])
    registers.append(0x900_0000, cellCount: 2)
    registers.append(0x1000, cellCount: 2)
    tree.setProperty("reg", of: uart, to: registers)
    let chosen = tree.addNode("chosen", under: root)
    tree.setProperty("stdout-path", of: chosen, to: .init("/pl011@9000000"))
    return tree
  }
}

/// The kernel of such a machine, for the command as the host compiles it. It changes nothing.
final class FolderLinux: LinuxSystem {
  private let folder: MachineFolder
  private let real = RunningLinux()
  private(set) var output = ""
  private(set) var complaints = ""

  init(_ folder: MachineFolder) {
    self.folder = folder
  }

  func read(_ path: String) throws(Errno) -> [UInt8] {
    try real.read(folder.url.path + path)
  }

  func read(_ path: String, parts body: (ArraySlice<UInt8>) -> Bool) throws(Errno) {
    try real.read(folder.url.path + path, parts: body)
  }

  func read(_ path: String, at offset: UInt64, count: Int) throws(Errno) -> [UInt8] {
    try real.read(folder.url.path + path, at: offset, count: count)
  }

  func map(
    _ path: String, progress: (_ done: UInt64, _ total: UInt64) -> Void
  ) throws(Errno) -> MappedFile {
    try real.map(folder.url.path + path, progress: progress)
  }

  func replace(_ path: String, with content: [UInt8]) throws(Errno) { throw .permissionDenied }

  func lock(_ path: String) throws(Errno) {}

  func remove(_ path: String) throws(Errno) { throw .permissionDenied }

  var imagePointers: ImagePointers { real.imagePointers }

  var counter: UInt64 { real.counter }

  var time: UInt64 { real.time }

  func write(_ text: String, to stream: LinuxHost.OutputStream) {
    switch stream {
    case .standardOutput: output += text
    case .standardError: complaints += text
    }
  }

  func log(_ line: String) throws(Errno) {}

  func tellEachSecond(_ texts: [String]) {}

  func stopTelling() {}

  var isErrorTerminal: Bool { false }

  var milliseconds: UInt64 { real.milliseconds }

  func kexecLoad(
    entry: UInt64, segments: UnsafeBufferPointer<linux_kexec_segment>, slot: KexecSlot
  ) throws(Errno) {
    throw .noSuchSystemCall
  }

  func kexecFileLoad(
    kernel: String, initrd: FileLoadInitrd, commandLine: [UInt8], slot: KexecSlot
  ) throws(Errno) {
    throw .noSuchSystemCall
  }

  func kexecFileUnload(_ slot: KexecSlot) throws(Errno) { throw .noSuchSystemCall }

  func sync() {}

  func rebootIntoLoadedKernel() -> Errno { .noSuchSystemCall }

  func takeInterfacesDown() -> (names: [String], failure: Errno?) { ([], nil) }

  func bringUp(_ interface: String) throws(Errno) {}

  func sleep(milliseconds: UInt64) {}

  func replaceByShutdown() -> Errno { .noSuchFile }

  func randomBytes(_ count: Int) throws(Errno) -> [UInt8] { try real.randomBytes(count) }

  var isRoot: Bool { real.isRoot }

  var buildID: [UInt8] { [] }

  // That of the emulated CPU.
  var pageSize: UInt64 { 4096 }

  var hasSHA256Instructions: Bool { false }

  var has52BitAddresses: Bool { false }
}
