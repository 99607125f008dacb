import ArgumentParser
import Lab

/// `lab share`: how evenly the CPUs share the stage's work.
struct ShareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "share",
    abstract: "Has the stage move and verify a large kernel, and counts each CPU's instructions.",
    discussion: """
      The next kernel is staged in the crashkernel region and asks to lie low, so that the stage moves \
      it. All CPUs run in one thread of QEMU's, where one that waits yields to the others.
      """)

  @Option(help: "The series of the Debian kernel that hands over to itself.")
  var machineKernel = "6.1"

  @Option(help: "MiB by which the next kernel is made larger.")
  var ballast = 380

  @Option(help: "What the first kernel reserves: its crashkernel= argument.")
  var crashkernel = "640M"

  @Option(help: "Where firmware leaves the CPU to the first kernel: el1, el2 or vhe.")
  var level = Machine.Level.el2

  @Option(help: "The number of CPUs.")
  var cpus = 4

  @Option(help: "RAM in GiB.")
  var memory = 4

  @Flag(help: "Have 64 pages of the image checked, not all of it.")
  var noChecks = false

  func run() async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: machineKernel, in: workspace)
    handoff.route = .crashKernel
    handoff.crashKernel = crashkernel
    handoff.kernelMustLieLow = true
    handoff.kernelBallast = ballast << 20
    handoff.verified = !noChecks
    handoff.machine.level = level
    handoff.machine.processors = cpus
    handoff.machine.memory = memory * 1024
    let prepared = handoff
    try await HostFile.withTemporaryDirectory { directory in
      let snapshot = try await StageSnapshot(of: prepared, in: directory, workspace)
      let (shares, run) = try await snapshot.runCountingShares()
      guard let line = run.lines.first(where: { $0.hasPrefix("baton: ") }), run.end == .ended else {
        throw run.failure("the stage did not start the next kernel")
      }
      print(line + "\n")
      var table = TextTable(["", "instructions in the stage", "share"])
      for (processor, count) in shares.instructions.sorted(by: { $0.key < $1.key }) {
        let permille = (count * 1000 + shares.total / 2) / shares.total
        table.add([
          "CPU \(processor)", TextTable.millions(count), "\(permille / 10).\(permille % 10) %",
        ])
      }
      table.add(["all", TextTable.millions(shares.total), ""])
      print(table.text, terminator: "")
    }
  }
}
