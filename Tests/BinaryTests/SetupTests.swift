import Foundation
import Testing

/// `Scripts/setup`, as far as it goes before it installs anything.
@Suite struct SetupTests {
  /// What it says where `swift` writes these words about itself, and its status.
  private static func setup(swiftSays words: String) throws -> (said: String, status: Int32) {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let swift = folder.appending(path: "bin/swift")
    try FileManager.default.createDirectory(
      at: swift.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data("#!/bin/sh\necho '\(words)'\n".utf8).write(to: swift)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: swift.path)
    let process = Process()
    process.executableURL = StageBinary.distribution.deletingLastPathComponent()
      .appending(path: "Scripts/setup")
    process.environment = [
      "PATH": swift.deletingLastPathComponent().path + ":/usr/sbin:/usr/bin:/sbin:/bin",
      "BATON_CACHE": folder.appending(path: "cache").path,
    ]
    let said = Pipe()
    process.standardError = said
    try process.run()
    let text = String(decoding: said.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (text, process.terminationStatus)
  }

  @Test(arguments: [
    ("Swift version 6.2.4 (swift-6.2.4-RELEASE)", "is 6.2.4; it takes 6.3 or later"),
    ("Swift version 5.10 (swift-5.10-RELEASE)", "is 5.10; it takes 6.3 or later"),
    ("", "is of no version that it tells; it takes 6.3 or later"),
  ])
  func `A Swift that is too old is refused before anything is installed`(
    words: String, sentence: String
  ) throws {
    let (said, status) = try Self.setup(swiftSays: words)
    #expect(status == 1)
    #expect(said.hasPrefix("setup: the swift on the PATH " + sentence), "\(said)")
  }
}
