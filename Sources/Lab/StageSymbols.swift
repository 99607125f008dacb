import Foundation

/// Where the stage's functions lie, by the symbol table of dist/stage.elf: as offsets from the
/// stage's base, in bytes.
public struct StageSymbols: Sendable {
  /// By name.
  public let addresses: [String: Int]
  /// The functions' first instructions, in ascending order.
  public let functionStarts: [Int]

  /// - Throws: `LabError` where the file is missing or `llvm-nm` cannot read it.
  public init(in workspace: Workspace = Workspace()) throws(LabError) {
    let path = workspace.root + "/dist/stage.elf"
    guard HostFile.exists(path) else { throw .missing(path: path, remedy: "make stage") }
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["llvm-nm", "--defined-only", path]
    let output = Pipe()
    process.standardOutput = output
    let data: Data
    do {
      try process.run()
      data = output.fileHandleForReading.readDataToEndOfFile()
    } catch {
      throw .system(operation: "run", path: "llvm-nm", reason: error.localizedDescription)
    }
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw .programFailed(
        name: "llvm-nm", status: "\(process.terminationStatus)", message: "on " + path)
    }
    var addresses: [String: Int] = [:]
    var starts: Set<Int> = []
    for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count == 3, let address = Int(fields[0], radix: 16) else { continue }
      // Mapping symbols ($x, $d) mark code and data, not functions.
      let name = String(fields[2])
      addresses[name] = address
      if "tT".contains(fields[1]), !name.hasPrefix("$x"), !name.hasPrefix("$d") {
        starts.insert(address)
      }
    }
    self.addresses = addresses
    functionStarts = starts.sorted()
  }

  /// What a function takes, up to the next one.
  public func code(of function: String) -> Range<Int>? {
    guard let start = addresses[function] else { return nil }
    return start..<(functionStarts.first { $0 > start } ?? Int.max)
  }
}
