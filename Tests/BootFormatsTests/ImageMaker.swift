import Foundation

/// mkimage(1), the oracle for FIT images.
enum ImageMaker {
  struct Failure: Error {
    let output: String
  }

  /// The FIT image that mkimage makes of a source, in which `kernel`, `initrd` and `dtb` are the
  /// paths of files with that content.
  static func make(_ source: String, _ files: [String: [UInt8]], _ options: [String] = []) throws
    -> [UInt8]
  {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(source.utf8).write(to: folder.appending(path: "image.its"))
    for (name, content) in files { try Data(content).write(to: folder.appending(path: name)) }
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.currentDirectoryURL = folder
    process.arguments = ["mkimage"] + options + ["-f", "image.its", "image.itb"]
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let printed = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(output: String(decoding: printed, as: UTF8.self))
    }
    return [UInt8](try Data(contentsOf: folder.appending(path: "image.itb")))
  }
}
