import BatonCommand
import Foundation
import LinuxHost

/// What a run of the command came to.
struct CommandRun: Equatable {
  let status: Int32
  let output: String
  let complaints: String

  static let binary = StageBinary.distribution.appending(path: "baton")

  /// dist/baton on an emulated CPU, the machine's files in place of this one's.
  ///
  /// Nothing here may start a kernel: the emulator passes reboot(2) on to this machine. It has no
  /// kexec_load(2).
  ///
  /// - Parameters:
  ///   - stream: one that nobody reads: a pipe whose other end is closed before the command begins.
  ///   - name: what it is called as.
  init(
    arm64 arguments: [String], on folder: MachineFolder,
    unread stream: LinuxHost.OutputStream? = nil, as name: String = "baton"
  ) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    // Signals as a shell leaves them, whatever this process ignores.
    process.arguments =
      [
        "--default-signal=PIPE", "qemu-aarch64-static", "-L", folder.url.path, "-0", name,
        Self.binary.path,
      ] + arguments
    let output = Pipe()
    let complaints = Pipe()
    process.standardOutput = output
    process.standardError = complaints
    if stream == .standardOutput { try output.fileHandleForReading.close() }
    if stream == .standardError { try complaints.fileHandleForReading.close() }
    try process.run()
    // One after the other: what the command writes fits a pipe.
    func rest(of pipe: Pipe, _ unread: LinuxHost.OutputStream) -> String {
      if stream == unread { return "" }
      return String(
        decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }
    self.output = rest(of: output, .standardOutput)
    self.complaints = rest(of: complaints, .standardError)
    process.waitUntilExit()
    status = process.terminationReason == .exit ? process.terminationStatus : -1
  }

  /// The same command, as the host compiles it.
  init(host arguments: [String], on folder: MachineFolder) {
    let linux = FolderLinux(folder)
    status = Baton.run(arguments, system: linux).rawValue
    output = linux.output
    complaints = linux.complaints
  }

  /// The pages of translation tables in a plan's listing.
  var tablePages: Int? {
    let words = output.split { $0 == " " || $0 == "\n" }
    guard let place = words.firstIndex(of: "pages"), place > 0 else { return nil }
    return Int(words[place - 1])
  }
}
