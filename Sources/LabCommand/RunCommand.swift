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

  @Option(help: "Where the next kernel waits: auto, crashkernel, memory or file.")
  var via: Handoff.Route?

  @Option(help: "What the first kernel reserves, such as 256M: its crashkernel= argument.")
  var crashkernel: String?

  @Option(help: "More for the first kernel's command line, such as rodata=on.")
  var arguments = ""

  @Flag(help: "Have the image not checked between the kernels.")
  var noChecks = false

  @Option(help: "Your own next kernel, instead of Debian's.")
  var kernel: String?

  @Option(help: "Your own initial file system for the next kernel, instead of the lab's.")
  var initrd: String?

  @Option(help: "MiB by which the lab's initial file system is made larger.")
  var ballast = 0

  @Option(help: "The series of the Debian kernel that boots first.")
  var machineKernel = "6.1"

  @Option(help: "The series of the Debian kernel to hand over to; the first's if not given.")
  var nextKernel: String?

  @Option(help: "Where firmware leaves the CPU to the first kernel: el1, el2 or vhe.")
  var level = Machine.Level.el2

  @Option(help: "QEMU's name of the CPU; one for the level if not given.")
  var cpu: String?

  @Option(help: "What describes the machine: device-tree, uefi-device-tree or uefi-acpi.")
  var platform = Machine.Platform.deviceTree

  @Option(help: "The interrupt controller: 2 or 3.")
  var gic = Machine.GIC.v3

  @Flag(help: "Give the interrupt controller an ITS.")
  var its = false

  @Option(help: "The number of CPUs.")
  var cpus = 1

  @Option(help: "RAM in GiB.")
  var memory = 2

  @Option(help: "MiB of it that the first userland keeps in use.")
  var used = 0

  @Flag(help: "Show every line of the console at the end.")
  var console = false

  func run() async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: machineKernel, to: nextKernel, in: workspace)
    handoff.ballast = ballast << 20
    handoff.route = via
    handoff.crashKernel = crashkernel
    handoff.machine.level = level
    handoff.machine.cpu = cpu
    handoff.machine.platform = platform
    handoff.machine.gic = gic
    handoff.machine.hasITS = its
    handoff.machine.processors = cpus
    handoff.machine.memory = memory * 1024
    handoff.machine.commandLine = arguments
    handoff.memoryInUse = used << 20
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
