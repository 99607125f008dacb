import Foundation
import Testing

/// The SHA-2 instructions run on an arm64 CPU only, so the comparison is a program of its own,
/// Arm64DigestCheck, which the Makefile builds for arm64.
struct Arm64Tests {
  @Test("On an arm64 CPU the SHA-2 instructions give what the portable form gives")
  func instructionsAgree() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let program = root.appending(
      path: ".build-bare-metal/aarch64-none-none-elf/release/Arm64DigestCheck")
    try #require(
      FileManager.default.isExecutableFile(atPath: program.path),
      "Arm64DigestCheck is not built: `make test` builds it")

    let emulator = Process()
    let output = Pipe()
    emulator.executableURL = URL(filePath: "/usr/bin/env")
    // A CPU that has FEAT_SHA256.
    emulator.arguments = [
      "timeout", "60", "qemu-aarch64-static", "-cpu", "cortex-a57", program.path,
    ]
    emulator.standardOutput = output
    try emulator.run()
    let printed = output.fileHandleForReading.readDataToEndOfFile()
    emulator.waitUntilExit()
    #expect(emulator.terminationStatus == 0)
    // The digest of the digests of every length up to 299, as sha256sum says it.
    #expect(
      String(decoding: printed, as: UTF8.self)
        == "5f121816c8b1c6e1c8763521915baa8dc04a6ce103cc425e4da0dc9365d2b36c")
  }
}
