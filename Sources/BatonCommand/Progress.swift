import LinuxHost

/// Who is shown how far long work is.
struct Audience: Hashable, Sendable {
  /// In whose name.
  var caller: Caller
  /// Whether nobody wants to know.
  var isQuiet: Bool
}

/// How far long work is, on a line of its own on a terminal, and silent everywhere else.
///
///     baton: digesting: 296 of 505 MiB, 4 s left
///
/// Work that is quick, as it mostly is, never shows.
struct Progress<System: LinuxSystem> {
  private let system: System
  private let name: String
  private let work: String
  private var total: UInt64
  private let isShown: Bool
  private let started: UInt64
  private var lastShown: UInt64?
  private var isCountingDown = false
  /// What was done by the last update, in bytes, and how long it took, in milliseconds.
  private var done: UInt64 = 0
  private var elapsed: UInt64 = 0

  /// In milliseconds: how long work goes on unseen, and how often its line changes.
  private static var patience: UInt64 { 500 }
  private static var interval: UInt64 { 100 }
  /// In seconds: what is counted down.
  private static var longest: UInt64 { 3600 }

  /// - Parameters:
  ///   - work: what is done: "digesting".
  ///   - total: in bytes; 0 where the first update tells.
  init(_ work: String, total: UInt64 = 0, for audience: Audience, _ system: System) {
    self.system = system
    name = audience.caller.name
    self.work = work
    self.total = total
    isShown = !audience.isQuiet && system.isErrorTerminal
    started = isShown ? system.milliseconds : 0
  }

  /// So many bytes are done, from the first on, of `total`, or of as many as were said before.
  mutating func update(_ done: UInt64, of total: UInt64? = nil) {
    guard isShown else { return }
    if let total { self.total = total }
    let now = system.milliseconds
    self.done = done
    elapsed = now &- started
    guard elapsed >= Self.patience, now &- (lastShown ?? 0) >= Self.interval else { return }
    lastShown = now
    var line = name + ": " + work + ": " + String(done >> 20) + " of "
    line += String(self.total >> 20) + " MiB"
    if done > 0, done < self.total {
      // At the pace so far, in seconds, rounded up.
      let left = elapsed.multipliedReportingOverflow(by: (self.total - done) >> 10)
      if !left.overflow, done >> 10 > 0 {
        line += ", " + String((left.partialValue / (done >> 10) + 999) / 1000) + " s left"
      }
    }
    show(line)
  }

  /// Says what is done where nothing tells how far it is: one call of the kernel's.
  ///
  /// - Parameter other: work that went through the same bytes: what this one takes at its pace is
  ///   shown as that, and counted down. Where it takes longer, its size is left.
  mutating func announce(atPaceOf other: Progress? = nil) {
    guard isShown, total >= 32 << 20 else { return }
    lastShown = started
    let size = name + ": " + work + ": " + String(total >> 20) + " MiB"
    // A sample says too little about the whole.
    guard let other, other.done >= total / 2, other.elapsed >= Self.patience else {
      return show(size)
    }
    let time = other.elapsed.multipliedReportingOverflow(by: total >> 10)
    let seconds = (time.partialValue / (other.done >> 10) + 999) / 1000
    guard !time.overflow, seconds <= Self.longest else { return show(size) }
    func line(_ seconds: UInt64) -> String {
      size + ", about " + String(seconds) + " s left at the pace of " + other.work
    }
    show(line(seconds))
    var lines: [String] = []
    for left in (1..<max(seconds, 1)).reversed() { lines.append(Self.shown(line(left))) }
    lines.append(Self.shown(size))
    system.tellEachSecond(lines)
    isCountingDown = true
  }

  /// Takes the line away.
  mutating func end() {
    if isCountingDown { system.stopTelling() }
    if lastShown != nil { show("") }
    isCountingDown = false
    lastShown = nil
  }

  private func show(_ line: String) {
    system.write(Self.shown(line), to: .standardError)
  }

  /// Back to the line's beginning, and what is left of the last one erased (ECMA-48, EL).
  private static func shown(_ line: String) -> String { "\r" + line + "\u{1b}[K" }
}

extension LinuxSystem {
  /// The file at `path`, mapped, with progress where somebody waits for it.
  func map(_ path: String, for audience: Audience) throws(BatonError) -> MappedFile {
    var progress = Progress("reading", for: audience, self)
    defer { progress.end() }
    do throws(Errno) {
      return try map(path) { progress.update($0, of: $1) }
    } catch {
      throw .file(path, error)
    }
  }
}
