/// A handoff in guest instructions, from the plugin's log.
public struct HandoffMeasurement: Sendable {
  /// The command's `-l`, from its start to its end, the shell's share included.
  public var load: UInt64
  /// From the last byte of `Bye!` to the first of the second kernel's `Booting Linux`.
  public var handoff: UInt64
  /// The handoff's parts, in order.
  public var parts: [(name: String, instructions: UInt64)]
  /// Data accesses made with the caches off until the next kernel's first instruction: from the
  /// stage's first instruction, or from `Bye!` where there is no stage of Baton's.
  public var uncachedAccesses: UInt64
  /// The exception level at which the next kernel was entered.
  public var kernelLevel: Int

  /// - Throws: `LabError.guest` where the log lacks a moment that a handoff must have.
  /// - Parameter hasStage: whether Baton's stage ran between the kernels.
  public init(_ log: EventLog, hasStage: Bool) throws(LabError) {
    func need<Value>(_ value: Value?, _ what: String) throws(LabError) -> Value {
      guard let value else {
        throw .guest("the plugin's log does not have \(what)", lastLines: [])
      }
      return value
    }
    let loading = try need(log.occurrence(of: Userland.loading), "the beginning of the load")
    let loaded = try need(
      log.occurrence(of: Userland.loaded, from: loading.last), "the end of the load")
    load = log.instructions(loading.last, loaded.first)
    let bye = try need(log.occurrence(of: "] Bye!", from: loaded.last), "“Bye!”").last
    let booting = try need(
      log.occurrence(of: "Booting Linux", from: bye), "the second “Booting Linux”")
    handoff = log.instructions(bye, booting.first)

    // A kernel may be entered twice (its decompressor, its EFI stub): the first time counts.
    let kernel = try need(
      log.first(from: bye) { $0.kind == .kernelEntry }, "the second kernel's entry")
    kernelLevel = log.events[kernel].level
    var points: [(name: String, event: Int)] = []
    var uncachedFrom = bye
    if hasStage {
      let stage = try need(
        log.first(from: bye) { $0.kind == .stageEntry }, "the stage's entry")
      points.append(("Bye! → stage", stage))
      uncachedFrom = stage
      // The other CPUs switch theirs in between.
      let processor = log.events[stage].processor
      let on = log.first(from: stage) {
        $0.processor == processor && $0.switchesTranslation == .on
      }
      if let on, on < kernel {
        points.append(("stage: entry → MMU on", on))
        let off = log.first(from: on) {
          $0.processor == processor && $0.switchesTranslation == .off
        }
        if let off, off < kernel { points.append(("stage: MMU on → MMU off", off)) }
      }
      points.append(("stage: → jump", kernel))
    } else {
      points.append(("Bye! → jump", kernel))
    }
    points.append(("jump → Booting Linux", booting.first))
    var previous = bye
    parts = []
    for point in points {
      parts.append((point.name, log.instructions(previous, point.event)))
      previous = point.event
    }
    uncachedAccesses =
      log.events[kernel].uncachedAccesses &- log.events[uncachedFrom].uncachedAccesses
  }
}
