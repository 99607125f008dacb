import ArgumentParser
import Glibc
import Lab

/// `lab chain`: handoffs in a row.
struct ChainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chain",
    abstract: "Hands over again and again on one machine; every kernel must bring up all CPUs.")

  @Option(help: "The handoffs.")
  var length = 50

  @Option(help: "The series of the Debian kernel.")
  var kernel = "6.1"

  @Option(help: "Where firmware leaves the CPU to the first kernel: el1, el2 or vhe.")
  var level = Machine.Level.el2

  @Option(help: "The interrupt controller: 2 or 3.")
  var gic = Machine.GIC.v3

  @Flag(help: "Give the interrupt controller an ITS.")
  var its = false

  @Option(help: "The number of CPUs.")
  var cpus = 1

  func run() async throws {
    let workspace = Workspace()
    var machine = Machine()
    machine.level = level
    machine.gic = gic
    machine.hasITS = its
    machine.processors = cpus
    let chain = try HandoffChain(debian: kernel, length: length, on: machine, in: workspace)
    _ = try await chain.run(in: workspace) { turn in
      print(turn == 0 ? "kernel 0 is up" : "handoff \(turn) of \(chain.length)")
      // As it happens, also where the output is not a terminal.
      fflush(nil)
    }
    print("\(length) handoffs; every kernel brought up \(cpus) CPU\(cpus == 1 ? "" : "s").")
  }
}
