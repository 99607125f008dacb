import Synchronization

/// Follows a handoff on the guest's console.
final class HandoffConsole: Sendable {
  /// What was seen so far.
  struct Seen: Sendable {
    var phases: [HandoffPhase.Name] = []
    /// The console's lines between the beginning of the load and its end.
    var loadLines: [String] = []
    var isLoading = false
    var loadStatus: String?
    var stageLine: String?
    var commandLine: String?
    /// What the second userland's `sha256sum -c` said.
    var ballast: String?
    /// The exception level at which the second kernel found all its CPUs.
    var startedLevel: Int?
    /// The CPUs that the second kernel brought up.
    var processors: Int?
    /// Whether the second kernel found a CPU with VHE at EL2, and uses it.
    var usesHostExtensions = false
  }

  /// What the lab has to do about a line.
  enum Answer: Sendable {
    case nothing
    case type(String)
    case end
  }

  private let state = Mutex(Seen())
  private let ownUserland: Bool
  private let report: @Sendable (HandoffPhase) -> Void

  /// - Parameter ownUserland: whether the second userland is a person's own, which says nothing to
  ///   the lab: that the kernel starts it is then the end.
  init(ownUserland: Bool, report: @escaping @Sendable (HandoffPhase) -> Void) {
    self.ownUserland = ownUserland
    self.report = report
  }

  var seen: Seen { state.withLock { $0 } }

  func read(_ line: String) -> Answer {
    let (phase, answer) = state.withLock { seen in Self.step(line, &seen, ownUserland) }
    if let phase { report(phase) }
    return answer
  }

  private static func step(
    _ line: String, _ seen: inout Seen, _ ownUserland: Bool
  ) -> (HandoffPhase?, Answer) {
    let phase: HandoffPhase?
    var answer = Answer.nothing
    let handedOver = seen.phases.contains(.bye)
    if let version = text(after: "] Linux version ", in: line) {
      let short = String(version.prefix { $0 != " " })
      phase = handedOver ? .secondKernel(version: short) : .firstKernel(version: short)
    } else if line == Userland.first {
      phase = .firstUserland
    } else if line == Userland.loading {
      seen.isLoading = true
      phase = nil
    } else if let status = text(after: Userland.loaded, in: line) {
      seen.isLoading = false
      seen.loadStatus = status
      phase = status == "0" ? .loaded : nil
      answer = status == "0" ? .type("\n") : .end
    } else if line.hasSuffix("] Bye!") {
      phase = .bye
    } else if handedOver, line.hasPrefix("baton: "), seen.stageLine == nil {
      seen.stageLine = line
      phase = .stage(line: line)
    } else if handedOver, let words = text(after: "] Kernel command line: ", in: line) {
      seen.commandLine = words
      phase = nil
    } else if handedOver, let level = text(after: "CPU: All CPU(s) started at EL", in: line) {
      seen.startedLevel = Int(level)
      phase = nil
    } else if handedOver, let count = text(after: "smp: Brought up 1 node, ", in: line) {
      seen.processors = Int(count.prefix { $0 != " " })
      phase = nil
    } else if handedOver, line.hasSuffix("detected: Virtualization Host Extensions") {
      seen.usesHostExtensions = true
      phase = nil
    } else if let words = text(after: Userland.ballast, in: line) {
      seen.ballast = words
      phase = nil
    } else if line == Userland.second
      || ownUserland && handedOver && line.hasSuffix(" as init process")
    {
      phase = .secondUserland
      answer = ownUserland ? .end : .nothing
    } else {
      if seen.isLoading { seen.loadLines.append(line) }
      phase = nil
    }
    if let phase { seen.phases.append(phase.name) }
    return (phase, answer)
  }

  private static func text(after prefix: String, in line: String) -> String? {
    guard let range = line.firstRange(of: prefix) else { return nil }
    return String(line[range.upperBound...])
  }
}
