import KexecRelocation
import LinuxHost

/// `--status`: what the slots hold, by the records of this boot, and by the kernel, where it shows
/// what is loaded.
struct StatusReport {
  /// Whether the slot that was asked about holds a kernel that could start: what is staged is no crash
  /// kernel.
  private let answer: ExitStatus
  private let isLoaded: Bool
  /// What Baton last loaded into the normal slot.
  private let record: JSONRecord?
  /// Whether something else was loaded over that; nil: nothing tells.
  private let isReplaced: Bool?
  /// What a load that did not come to its end has left in the normal slot.
  private let interrupted: LoadRecord.Interrupted?
  private let crash: LoadRecord.CrashSlot
  private let crashRecord: JSONRecord?
  /// Whether a record is believed of which nothing tells whether it still holds.
  private let isUnconfirmed: Bool

  static func run<System: LinuxSystem>(
    _ system: System, slot: KexecSlot, json: Bool
  ) throws(BatonError) -> ExitStatus {
    guard KernelFlags.isThere(KernelFlags.normalSlot, system) else { throw .noKexec }
    let report = StatusReport(system, slot: slot)
    system.write(json ? report.json : report.text, to: .standardOutput)
    return report.answer
  }

  private init<System: LinuxSystem>(_ system: System, slot: KexecSlot) {
    isLoaded = KernelFlags.isLoaded(.normal, system)
    record = LoadRecord.current(system)
    isReplaced = record?.describes(.normal, system).map { !$0 }
    interrupted = LoadRecord.interrupted(system)
    crash = LoadRecord.crashSlot(system)
    // A stage whose kernel is gone from the region is nothing that could start.
    let isWhole =
      isReplaced == true
      || (record?.isStaged != true || crash.isBatons) && interrupted?.isTorn != true
    let holdsKernel = slot == .normal ? isLoaded && isWhole : crash == .dumpKernel
    answer = holdsKernel ? .success : .negative
    crashRecord = crash == .dumpKernel ? CrashRecord.current(system) : nil
    isUnconfirmed =
      record != nil && isReplaced == nil || interrupted.map { $0.isBatons == nil } == true
      || crash.isBatons && SlotContent.shown(in: .crash, system) == nil
      || crashRecord != nil && crashRecord?.describes(.crash, system) == nil
  }

  /// Whether the normal slot holds, or may hold, what a load that did not come to its end has left.
  private var isOfInterrupted: Bool { interrupted.map { $0.isBatons != false } ?? false }

  /// What describes the normal slot.
  private var valid: JSONRecord? { isReplaced == true ? nil : record }

  private var json: String {
    JSONText.object { json in
      json.member("loaded", isLoaded)
      json.member("loadedByBaton", valid != nil || isOfInterrupted)
      json.member("replaced", isReplaced)
      json.member("planDigest", valid?.string("planDigest"))
      json.member("kernel", valid?.string("kernel"))
      json.member("verification", valid?.string("verification"))
      json.member("via", valid?.string("via"))
      json.member("reason", valid?.string("reason"))
      json.member("crashKernelLoaded", crash == .dumpKernel)
      json.member("crashKernel", crashRecord?.string("kernel"))
      json.member("crashKernelVerification", crashRecord?.string("verification"))
      json.member("stagedImageLoaded", crash.isBatons)
    }
  }

  private var text: String {
    var text = "next kernel: " + nextKernel + "\n"
    if let reason = valid?.string("reason") { text += "why this way: " + reason + "\n" }
    text += "crash kernel: " + crashKernel + "\n"
    if isUnconfirmed {
      text +=
        "by baton's record: this kernel does not show whether another tool loaded something since\n"
    }
    return text
  }

  private var nextKernel: String {
    guard let record else {
      if isOfInterrupted {
        return (interrupted?.isBatons == nil ? "loaded, perhaps by" : "loaded by")
          + " a baton -l that was interrupted"
          + (interrupted?.isTorn == true
            ? ", but not whole in the crashkernel region any more: load it again"
            : ": baton -e starts it")
      }
      return isLoaded
        ? "loaded, but not by this boot's baton -l: baton -e starts it" : "not loaded"
    }
    let kernel = record.string("kernel") ?? "a kernel"
    if isReplaced == true {
      return "loaded by another tool, over " + kernel + " of baton -l: baton -e starts it"
    }
    let loaded =
      "loaded: " + kernel + " (via " + (record.string("via") ?? "memory") + ", verifies "
      + (record.string("verification") ?? "nothing known") + ")"
    guard record.isStaged else { return loaded + ": baton -e starts it" }
    return switch crash {
    case .empty:
      loaded + ", but unloaded from the crashkernel region since: load it again"
    case .dumpKernel:
      loaded + ", but a dump kernel was loaded over it in the crashkernel region: load it again"
    case .stagedImage, .interrupted: loaded + ": baton -e starts it"
    }
  }

  private var crashKernel: String {
    switch crash {
    case .empty: "not loaded"
    case .dumpKernel: crashRecord.map { CrashRecord.text(of: $0) } ?? "loaded"
    case .stagedImage: "not loaded: the next kernel is staged there, and a panic resets"
    // Whether the next kernel needs it nothing tells.
    case .interrupted where isOfInterrupted && interrupted?.isBatons == nil:
      "not loaded: what a baton -l staged is there, and a panic resets"
    case .interrupted:
      "not loaded: what a baton -l staged there was left behind, and a panic resets; "
        + "baton -u removes it"
    }
  }
}
