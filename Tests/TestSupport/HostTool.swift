import Foundation

/// A program of the machine that the tests run on, as an oracle or as a maker of files.
public enum HostTool {
  public struct Failure: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) {
      self.description = description
    }
  }

  /// Runs a program in a folder with these files and returns the content of `result` there.
  public static func run(
    _ arguments: [String], with files: [String: [UInt8]], result: String
  ) throws -> [UInt8] {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, content) in files { try Data(content).write(to: folder.appending(path: name)) }
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.currentDirectoryURL = folder
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let printed = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(description: String(decoding: printed, as: UTF8.self))
    }
    return [UInt8](try Data(contentsOf: folder.appending(path: result)))
  }

  /// What a compressing program ("xz -9") makes of `content`.
  public static func compress(_ content: [UInt8], by program: String) throws -> [UInt8] {
    let words = program.split(separator: " ").map { String($0) }
    return try run(
      ["sh", "-c", "exec \"$@\" < content > compressed", "sh"] + words, with: ["content": content],
      result: "compressed")
  }
}
