import Foundation

/// Where the lab finds what it works with: the project's folder, as `make` leaves it.
public struct Workspace: Sendable {
  /// The project's folder.
  public let root: String
  /// The folder that Scripts/setup fills.
  public let cache: String

  /// The workspace around `root`; the cache is where `BATON_CACHE` says, as for Scripts/setup.
  public init(root: String = FileManager.default.currentDirectoryPath) {
    self.root = root
    let environment = ProcessInfo.processInfo.environment
    let cache =
      environment["BATON_CACHE"]
      ?? (environment["XDG_CACHE_HOME"] ?? environment["HOME"].map { $0 + "/.cache" } ?? ".cache")
      + "/baton"
    self.cache = cache.hasPrefix("/") ? cache : root + "/" + cache
  }

  /// Debian's kernel of the given series ("6.1"): an arm64 Image.
  public func kernel(_ series: String) throws(LabError) -> String {
    try existing(cache + "/guest/kernels/\(series)/vmlinuz", remedy: "make setup-all")
  }

  /// The device tree of a board, as Debian's kernel has it.
  public func deviceTree(_ name: String) throws(LabError) -> String {
    try existing(cache + "/guest/device-trees/\(name).dtb", remedy: "make setup-all")
  }

  /// A static arm64 busybox.
  public func busybox() throws(LabError) -> String {
    try existing(cache + "/guest/busybox/busybox", remedy: "make setup")
  }

  /// The folder with kexec-tools' `kexec` and, in `lib/`, its loader and libraries.
  public func kexecTools() throws(LabError) -> String {
    try existing(cache + "/guest/kexec-tools", remedy: "make setup")
  }

  /// makedumpfile with its loader and libraries, as a guest has them.
  func makedumpfile() throws(LabError) -> [(path: String, contents: [UInt8])] {
    let folder = try existing(cache + "/guest/makedumpfile", remedy: "make setup-all")
    var files = [("bin/makedumpfile", try HostFile.bytes(of: folder + "/makedumpfile"))]
    for library in try HostFile.names(in: folder + "/lib") {
      files.append(("lib/" + library, try HostFile.bytes(of: folder + "/lib/" + library)))
    }
    return files
  }

  /// The static arm64 `baton`.
  public func baton() throws(LabError) -> String {
    try existing(root + "/dist/baton", remedy: "make dist")
  }

  /// The stage as it is embedded in `baton`.
  public func stage() throws(LabError) -> String {
    try existing(root + "/dist/stage.bin", remedy: "make dist")
  }

  /// relay, the first kernel without Linux.
  public func relay() throws(LabError) -> String {
    try existing(root + "/dist/relay", remedy: "make dist")
  }

  /// The image of a Debian's root, an ext4 file system.
  func debianRoot() throws(LabError) -> String {
    try existing(cache + "/guest/debian-root/image", remedy: "Scripts/setup --matrix")
  }

  /// A program for guests that kills another at one of its calls of `kexec_load(2)`
  /// (Tests/KillAtLoad).
  public func killAtLoad() throws(LabError) -> (path: String, contents: [UInt8]) {
    let program = root + "/.build-bare-metal/aarch64-none-none-elf/release/KillAtLoad"
    return (
      "bin/kill-at-load", try HostFile.bytes(of: existing(program, remedy: "make checks"))
    )
  }

  /// The Debian package of `baton`.
  public func package() throws(LabError) -> String {
    guard
      let name = try HostFile.names(in: root + "/dist").last(where: {
        $0.hasPrefix("baton_") && $0.hasSuffix("_arm64.deb")
      })
    else { throw .missing(path: root + "/dist/baton_VERSION_arm64.deb", remedy: "make deb") }
    return root + "/dist/" + name
  }

  /// The lab's QEMU plugin, as SwiftPM's debug build leaves it.
  public func plugin() throws(LabError) -> String {
    try existing(
      root + "/.build/debug/liblabplugin.so", remedy: "swift build --product labplugin")
  }

  private func existing(_ path: String, remedy: String) throws(LabError) -> String {
    guard HostFile.exists(path) else { throw .missing(path: path, remedy: remedy) }
    return path
  }
}
