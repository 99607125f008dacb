import ArgumentParser
import Lab

/// `lab bench`: Baton beside kexec-tools, checked and unchecked.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Hands over with baton and with kexec-tools, and compares them.")

  @Option(help: "Only this command.")
  var tool: Handoff.Tool?

  func run() async throws {
    let workspace = Workspace()
    var table = TextTable(["guest instructions", "-l", "Bye! → Booting Linux", "uncached accesses"])
    for verified in [true, false] {
      for tool in tool.map({ [$0] }) ?? Handoff.Tool.allCases {
        let name = tool.rawValue + (verified ? ", verified" : ", -i")
        print("running \(name) …")
        var handoff = try Handoff(debian: "6.1", in: workspace)
        handoff.tool = tool
        handoff.verified = verified
        let measurement = try await handoff.run(in: workspace).measurement
        table.add([
          name, TextTable.millions(measurement.load), TextTable.millions(measurement.handoff),
          TextTable.grouped(measurement.uncachedAccesses),
        ])
      }
    }
    print("\n" + table.text, terminator: "")
  }
}
