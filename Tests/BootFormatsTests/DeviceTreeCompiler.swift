import BootFormats
import Foundation
import PhysicalMemory

/// The device tree compiler's programs, the oracle of these tests.
enum DeviceTreeCompiler {
  struct Failure: Error {
    let arguments: [String]
    let status: Int32
  }

  /// The blob for the source text.
  static func compile(_ source: String) throws -> [UInt8] {
    try run(["dtc", "-q", "-I", "dts", "-O", "dtb"], on: Data(source.utf8))
  }

  /// The blob as source text, nodes and properties in its own order.
  static func decompile(_ blob: [UInt8]) throws -> String {
    String(
      decoding: try run(["dtc", "-q", "-I", "dtb", "-O", "dts"], on: Data(blob)), as: UTF8.self)
  }

  /// What `fdtget` with these options prints of the blob, by lines.
  static func get(_ blob: [UInt8], _ options: [String], _ arguments: [String]) throws -> [String] {
    let output = try run(["fdtget"] + options, on: Data(blob), then: arguments)
    return String(decoding: output, as: UTF8.self).split(separator: "\n").map { String($0) }
  }

  /// Runs a program on a file of that content and returns what it prints.
  private static func run(
    _ program: [String], on input: Data, then arguments: [String] = []
  ) throws -> [UInt8] {
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try input.write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = program + [file.path] + arguments
    process.standardOutput = output
    try process.run()
    let printed = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(arguments: program, status: process.terminationStatus)
    }
    return [UInt8](printed)
  }
}

/// Reads a blob. Sound: the elements are bytes, so that there is no padding among them.
func parse(_ blob: [UInt8]) throws(DeviceTreeError) -> DeviceTree {
  try DeviceTree(parsing: unsafe blob.span.bytes)
}

/// Compiles and reads a source text.
func tree(_ source: String) throws -> DeviceTree {
  try parse(DeviceTreeCompiler.compile(source))
}

/// What two trees must have in common to be the same, node by node.
func content(of tree: DeviceTree) -> [String] {
  tree.reservations.map { "\($0.start.rawValue) \($0.size)" } + ["cpu \(tree.bootCPU)"]
    + tree.allNodes.flatMap { node in
      [tree.path(of: node)] + tree.properties(of: node).map { "\($0.name) = \($0.value.bytes)" }
    }
}
