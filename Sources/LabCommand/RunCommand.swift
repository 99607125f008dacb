import ArgumentParser
import Glibc
import Lab

/// `lab run`: one handoff, phase by phase.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Boots a kernel and hands over to the next one, phase by phase.")

  @Option(help: "The command that loads and executes: baton or kexec-tools.")
  var tool = Handoff.Tool.baton

  @Flag(help: "Have the image not checked between the kernels.")
  var noChecks = false

  @Option(help: "Your own next kernel, instead of Debian's 6.1.")
  var kernel: String?

  @Option(help: "Your own initial file system for the next kernel, instead of the lab's.")
  var initrd: String?

  @Flag(help: "Show every line of the console at the end.")
  var console = false

  func run() async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.tool = tool
    handoff.verified = !noChecks
    if let kernel { handoff.secondKernel = kernel }
    handoff.secondInitrd = initrd
    let report = try await handoff.run(in: workspace) { phase, elapsed in
      print(line(phase, elapsed))
      // As it happens, also where the output is not a terminal.
      fflush(nil)
    }
    if console { print(report.run.lines.joined(separator: "\n")) }
    print("\nThe next kernel's command line: \(report.commandLine)\n")
    print(report.summary, terminator: "")
  }
}

/// "  1.9 s  first userland    …"
private func line(_ phase: HandoffPhase, _ elapsed: Duration) -> String {
  let tenths =
    elapsed.components.seconds * 10
    + elapsed.components.attoseconds / 100_000_000_000_000_000
  let time = "\(tenths / 10).\(tenths % 10) s"
  let padding = String(repeating: " ", count: max(0, 8 - time.count))
  let name = phase.name.rawValue
  return padding + time + "  " + name + String(repeating: " ", count: max(0, 20 - name.count))
    + phase.detail
}
