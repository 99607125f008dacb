import ArgumentParser
import Lab

@main
struct LabCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lab",
    abstract: "Drives real kernels through a handoff in QEMU, and measures it.",
    subcommands: [
      RunCommand.self, BenchCommand.self, MatrixCommand.self, ChainCommand.self, ShareCommand.self,
      RelayCommand.self,
    ])
}

extension Handoff.Tool: ExpressibleByArgument {}
extension Handoff.Route: ExpressibleByArgument {}
extension Machine.Level: ExpressibleByArgument {}
extension Machine.GIC: ExpressibleByArgument {}
extension Machine.Platform: ExpressibleByArgument {}
