/// One handoff of the matrix: from which kernel to which, on which machine.
public struct MatrixCell: Sendable, CustomStringConvertible {
  /// The series of the Debian kernel that boots first.
  public var first: String
  /// The series of the Debian kernel that is handed over to.
  public var next: String
  public var machine: Machine
  /// What the first kernel reserves by `crashkernel=`, for a load that is staged there; nil: an
  /// ordinary one.
  public var crashKernel: String?
  /// Whether the first kernel crashes, and the next one finds its memory.
  public var crashes = false
  /// MiB of a file in the next kernel's initial file system.
  public var ballast = 0

  /// - Parameters:
  ///   - next: `first` where it is nil.
  ///   - adapt: changes a machine of EL2 without VHE, GICv3, one CPU and 2 GiB to the one wanted.
  public init(_ first: String, to next: String? = nil, on adapt: (inout Machine) -> Void = { _ in })
  {
    self.first = first
    self.next = next ?? first
    machine = Machine()
    adapt(&machine)
  }

  /// The kernels: "5.10 → 6.12".
  public var kernels: String { first == next ? first : first + " → " + next }

  /// The machine: "vhe, GICv3, 1 CPU, 2 GiB".
  public var machineName: String {
    var words = [machine.level.rawValue]
    if let cpu = machine.cpu { words.append(cpu) }
    words.append("GICv\(machine.gic.rawValue)" + (machine.hasITS ? " with ITS" : ""))
    words.append("\(machine.processors) CPU" + (machine.processors == 1 ? "" : "s"))
    words.append("\(machine.memory / 1024) GiB")
    if let crashKernel { words.append("staged in " + crashKernel) }
    if crashes { words.append("crashed") }
    if ballast > 0 { words.append("initramfs of \(ballast) MiB") }
    if machine.platform != .deviceTree { words.append(machine.platform.rawValue) }
    return words.joined(separator: ", ")
  }

  public var description: String { kernels + ", " + machineName }

  /// The most bytes that are moved where everything runs in place: stage, tables and plan.
  public static let stagedLimit: UInt64 = 256 << 10

  /// Hands over, every byte verified.
  ///
  /// - Throws: `LabError`, also where the next kernel found another machine than this.
  public func run(in workspace: Workspace) async throws -> HandoffReport {
    var handoff = try Handoff(debian: first, to: next, in: workspace)
    handoff.machine = machine
    handoff.ballast = ballast << 20
    if let crashKernel {
      handoff.route = .crashKernel
      handoff.crashKernel = crashKernel
    }
    if crashes {
      handoff.crashKernel = "256M"
      handoff.crashes = true
    }
    let report = try await handoff.run(in: workspace)
    if crashes {
      let dump = CoreDump(report.run.lines)
      guard dump.size ?? 0 > UInt64(machine.memory) << 19, dump.cpusInHandler == 1,
        dump.frames.count == machine.processors
      else { throw report.run.failure("the crash kernel found something else: \(dump)") }
    }
    if let difference = report.difference(from: machine) { throw report.run.failure(difference) }
    if crashKernel != nil, report.movedBytes > Self.stagedLimit {
      throw report.run.failure("\(report.movedBytes) bytes were moved")
    }
    return report
  }
}
