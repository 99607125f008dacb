import Foundation
import Testing

/// `make install` and `make uninstall`, into a folder that stands for the machine's root.
@Suite struct InstallTests {
  private static let project = StageBinary.distribution.deletingLastPathComponent()

  /// `make`, taking what is in dist for made.
  private static func make(_ arguments: [String]) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.currentDirectoryURL = project
    process.arguments = ["make", "-o", "dist", "-o", "manual"] + arguments
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }

  @Test(arguments: [nil, "/usr"])
  func `What is installed is dist's, in its places, and is taken away again`(prefix: String?) throws
  {
    let root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: root) }
    let other = root.appending(path: (prefix ?? "/usr/local") + "/sbin/other")
    try FileManager.default.createDirectory(
      at: other.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data().write(to: other)
    let variables = ["DESTDIR=" + root.path] + (prefix.map { ["PREFIX=" + $0] } ?? [])
    #expect(try Self.make(["install"] + variables) == 0)
    let files = [
      ("sbin/baton", "baton", 0o755), ("share/man/man8/baton.8", "baton.8", 0o644),
      ("share/bash-completion/completions/baton", "baton.bash-completion", 0o644),
    ]
    for (path, name, mode) in files {
      let installed = root.appending(path: (prefix ?? "/usr/local") + "/" + path)
      #expect(
        try Data(contentsOf: installed)
          == Data(contentsOf: StageBinary.distribution.appending(path: name)))
      let attributes = try FileManager.default.attributesOfItem(atPath: installed.path)
      #expect(attributes[.posixPermissions] as? Int == mode)
    }
    // The units name the program where it was installed.
    for unit in ["baton-load.service", "baton-last.service"] {
      let text = try String(
        contentsOf: root.appending(path: (prefix ?? "/usr/local") + "/lib/systemd/system/" + unit),
        encoding: .utf8)
      let program = "\(prefix ?? "/usr/local")/sbin/baton "
      #expect(text.contains(unit == "baton-load.service" ? "exec " + program : "=" + program))
      // It is in no other place.
      #expect(text.matches(of: #/\/[a-z/]*sbin\/baton /#).allSatisfy { $0.output == program })
    }
    #expect(try Self.make(["uninstall"] + variables) == 0)
    // Nothing but what was there before.
    let left = try FileManager.default.subpathsOfDirectory(atPath: root.path).filter {
      let attributes = try FileManager.default.attributesOfItem(
        atPath: root.appending(path: $0).path)
      return attributes[.type] as? FileAttributeType != .typeDirectory
    }
    #expect(left == [String((prefix ?? "/usr/local").dropFirst()) + "/sbin/other"])
  }
}
