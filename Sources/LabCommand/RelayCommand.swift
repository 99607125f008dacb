import ArgumentParser
import Glibc
import Lab

/// `lab relay`: the first kernel without Linux.
struct RelayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "relay", abstract: "Runs relay, the first kernel without Linux.",
    subcommands: [Boot.self, Bench.self, Hibernate.self, Matrix.self])

  /// `lab relay boot`: one relocation, and the kernel behind it.
  struct Boot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "boot", abstract: "Has relay start a kernel by one system.")

    @Option(help: "off, identity, linear, contiguous or none.")
    var system = RelayRun.System.linear
    @Option(help: "Where the work is done: el1, el2, drop or vhe.")
    var level = RelayRun.Level.el2
    @Option(help: "Pages of the transitional tables: 4k, 16k or 64k.")
    var granule = RelayRun.Granule.size4K
    @Option(help: "How scattered the sources are: worst, typical or best.")
    var layout = "worst"
    @Flag(help: "On QEMU's sbsa-ref, whose memory begins at 2^40.")
    var sbsa = false
    @Flag(help: "Have U-Boot start relay.")
    var uBoot = false

    func run() async throws {
      let workspace = Workspace()
      var run = RelayRun(system, level, granule)
      run.layout = layout
      if sbsa { run.board = .sbsaReference }
      if uBoot { run.platform = .uBoot }
      let payload = try await RelayPayload(debian: "6.1", in: workspace)
      let result = try await run.boot(payload, in: workspace)
      print(
        result.lines.filter {
          $0.hasPrefix("relay: ") || $0.hasPrefix("baton: ") || $0.hasPrefix("lab: ")
            || $0.contains("All CPU(s) started")
        }.joined(separator: "\n"))
    }
  }

  /// `lab relay bench`: every system, granule and size, measured in a guest.
  struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "bench", abstract: "Has relay measure its systems.")

    @Option(help: "Sizes of the images in MiB, with commas.")
    var sizes = "25,120,380"
    @Option(help: "el1, el2 or vhe.")
    var level = RelayRun.Level.el2
    @Option(help: "QEMU's name of the CPU.")
    var cpu: String?
    @Option(help: "RAM in MiB; an image takes three times its size, and relay 70.")
    var memory = 2048
    @Flag(help: "Count instructions, exactly, instead of time: a thousand a microsecond.")
    var count = false

    func run() async throws {
      var run = RelayRun(.linear, level)
      run.cpu = cpu
      run.memory = memory
      var machine = try run.machine(in: Workspace())
      machine.commandLine = "relay.bench=\(sizes) relay.level=\(level.rawValue)"
      machine.timeLimit = .seconds(3600)
      machine.clocksCountInstructions = count
      let result = try await machine.run(line: { line, _ in
        if line.hasPrefix("relay: ") { print(line.dropFirst(7)) }
        fflush(nil)
      })
      guard result.lines.contains(where: { $0.hasPrefix("relay: bench: ") }) else {
        throw result.failure("the bench did not reach its end")
      }
      if count { print("\nInstructions a page of 4 KiB:\n" + RelayBenchTable(result).text) }
    }
  }

  /// `lab relay hibernate`: a snapshot of relay itself, destroyed and restored.
  struct Hibernate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "hibernate", abstract: "Has relay restore itself from a snapshot.")

    @Option(help: "el1, el2 or vhe.")
    var level = RelayRun.Level.el2

    func run() async throws {
      var machine = try RelayRun(.linear, level).machine(in: Workspace())
      machine.commandLine = "relay.hibernate relay.layout=typical relay.level=\(level.rawValue)"
      let result = try await machine.run()
      print(
        result.lines.filter { $0.hasPrefix("relay: ") || $0.hasPrefix("baton: ") }
          .joined(separator: "\n"))
    }
  }

  /// `lab relay matrix`: every relocation that relay has machines for.
  struct Matrix: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "matrix", abstract: "Every system at every level; fails if one relocation does.")

    @Option(help: "Only the cells whose name contains this.")
    var only: String?

    func run() async throws {
      let workspace = Workspace()
      var runs = RelayRun.matrix
      if let only { runs.removeAll { !$0.description.contains(only) } }
      guard !runs.isEmpty else { throw ValidationError("no cell's name contains that") }
      let payload = try await RelayPayload(debian: "6.1", in: workspace)
      var failures = 0
      for (index, run) in runs.enumerated() {
        do {
          _ = try await run.boot(payload, in: workspace)
          print("\(index + 1)/\(runs.count)  \(run)")
        } catch {
          failures += 1
          print("\(index + 1)/\(runs.count)  \(run): FAILED: \(error)")
        }
        fflush(nil)
      }
      print("\n\(runs.count - failures) of \(runs.count) reached the next kernel's userland.")
      if failures > 0 { throw ExitCode.failure }
    }
  }
}

extension RelayRun.System: ExpressibleByArgument {}
extension RelayRun.Level: ExpressibleByArgument {}
extension RelayRun.Granule: ExpressibleByArgument {}
