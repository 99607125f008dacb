import ArgumentParser
import Lab

/// `lab bench`: Baton beside kexec-tools, checked and unchecked.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Hands over with baton and with kexec-tools, and compares them.")

  @Option(help: "Only this command.")
  var tool: Handoff.Tool?

  @Option(help: "What the first kernel reserves (its crashkernel= argument), for the staged rows.")
  var crashkernel = "256M"

  @Option(help: "The series of the Debian kernel that hands over to itself.")
  var machineKernel = "6.1"

  @Option(help: "MiB of a file in the lab's initial file system.")
  var ballast = 0

  @Option(help: "RAM in GiB.")
  var memory = 2

  func run() async throws {
    let workspace = Workspace()
    var table = TextTable(["guest instructions", "-l", "Bye! → Booting Linux", "uncached accesses"])
    for verified in [true, false] {
      for row in Row.all where tool == nil || row.tool == tool {
        let name = row.name + (verified ? ", verified" : ", -i")
        print("running \(name) …")
        var handoff = try Handoff(debian: machineKernel, in: workspace)
        handoff.tool = row.tool
        handoff.verified = verified
        handoff.ballast = ballast << 20
        handoff.machine.memory = memory * 1024
        if row.tool == .baton { handoff.route = row.route }
        if row.route == .crashKernel { handoff.crashKernel = crashkernel }
        let measurement = try await handoff.run(in: workspace).measurement
        table.add([
          name, TextTable.millions(measurement.load), TextTable.millions(measurement.handoff),
          TextTable.grouped(measurement.uncachedAccesses),
        ])
      }
    }
    print("\n" + table.text, terminator: "")
  }

  /// What is compared.
  private struct Row {
    let name: String
    let tool: Handoff.Tool
    let route: Handoff.Route

    static let all = [
      Row(name: "baton", tool: .baton, route: .memory),
      Row(name: "baton, staged", tool: .baton, route: .crashKernel),
      Row(name: "kexec-tools", tool: .kexecTools, route: .memory),
    ]
  }
}
