import ArgumentParser
import Foundation
import Lab

/// `lab matrix`: every handoff that the lab has kernels and machines for.
struct MatrixCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "matrix",
    abstract: "Hands over between all kernels on all machines; fails if one handoff does.")

  @Option(help: "Guests at a time.")
  var width = ProcessInfo.processInfo.activeProcessorCount

  @Option(help: "Only the cells whose name contains this, such as “el1” or “6.1 → 6.12”.")
  var only: String?

  func run() async throws {
    var matrix = HandoffMatrix()
    if let only { matrix.cells.removeAll { !$0.description.contains(only) } }
    guard !matrix.cells.isEmpty else { throw ValidationError("no cell's name contains that") }
    let count = matrix.cells.count
    var done = 0
    let results = await matrix.run(in: Workspace(), width: max(1, width)) { cell, result in
      done += 1
      switch result {
      case .success: print("\(done)/\(count)  \(cell)")
      case .failure(let error): print("\(done)/\(count)  \(cell): FAILED: \(error)")
      }
      // As it happens, also where the output is not a terminal.
      fflush(nil)
    }
    print("\n" + Self.table(matrix.cells, results), terminator: "")
    let failures = results.count { (try? $0.get()) == nil }
    print("\n\(count - failures) of \(count) reached the second userland as they should.")
    if failures > 0 { throw ExitCode.failure }
  }

  private static func table(
    _ cells: [MatrixCell], _ results: [Result<HandoffReport, any Error>]
  ) -> String {
    var table = TextTable([
      "kernels", "machine", "level", "-l", "Bye! → Booting Linux", "uncached accesses",
    ])
    for (cell, result) in zip(cells, results) {
      guard let report = try? result.get() else {
        table.add([cell.kernels, cell.machineName, "FAILED"])
        continue
      }
      let measured = report.measurement
      table.add([
        cell.kernels, cell.machineName, "EL\(measured.kernelLevel)",
        TextTable.millions(measured.load), TextTable.millions(measured.handoff),
        TextTable.grouped(measured.uncachedAccesses),
      ])
    }
    return table.text
  }
}
