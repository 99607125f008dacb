import KexecRelocation
import LinuxHost

/// The command `baton` (the module's name has `Command` behind it): one run of it.
public enum Baton {
  /// The version, as `--version` shows it.
  public static let version: StaticString = "0.1.0"

  /// Does what `arguments` ask for; the command's name is not among them.
  ///
  /// - Returns: what the process exits with. Where it is not `success`, a sentence is on standard
  ///   error, but for `negative` answers to questions.
  public static func run<System: LinuxSystem>(
    _ arguments: [String], system: System
  ) -> ExitStatus {
    do throws(BatonError) {
      let invocation: Invocation
      do throws(UsageError) { invocation = try Invocation(parsing: arguments) } catch {
        throw .usage(error)
      }
      switch invocation.action {
      case .help:
        system.write(Help.text, to: .standardOutput)
      case .version:
        let stage = try StageImage.embedded()
        system.write(
          "baton " + String(version) + " (stage " + stage.buildIDText + ")\n", to: .standardOutput)
      case .status:
        return try reportStatus(system, json: invocation.answersInJSON)
      case .last:
        return LastReport.run(system, json: invocation.answersInJSON)
      case .check:
        return check(system, json: invocation.answersInJSON)
      case .unload:
        try unload(system)
      case .execute:
        try execute(system)
      case .load(let image):
        try LoadCommand(invocation: invocation, imagePath: image, system: system).run()
      }
      return .success
    } catch {
      system.write("baton: " + error.sentence + "\n", to: .standardError)
      return error.status
    }
  }

  private static func reportStatus<System: LinuxSystem>(
    _ system: System, json: Bool
  ) throws(BatonError) -> ExitStatus {
    guard KernelFlags.isThere(KernelFlags.normalSlot, system) else { throw .noKexec }
    let isLoaded = KernelFlags.isLoaded(.normal, system)
    let record = LoadRecord.current(system)
    let crash = LoadRecord.crashSlot(system)
    if json {
      system.write(
        JSONText.object { json in
          json.member("loaded", isLoaded)
          json.member("loadedByBaton", record != nil)
          json.member("planDigest", record?.string("planDigest"))
          json.member("kernel", record?.string("kernel"))
          json.member("verification", record?.string("verification"))
          json.member("via", record?.string("via"))
          json.member("crashKernelLoaded", crash == .dumpKernel)
          json.member("stagedImageLoaded", crash == .stagedImage || crash == .interrupted)
        }, to: .standardOutput)
      return isLoaded ? .success : .negative
    }
    var normal = "not loaded"
    if let record {
      normal = "loaded: " + (record.string("kernel") ?? "a kernel") + " (via "
      normal += (record.string("via") ?? "memory") + ", verifies "
      normal += (record.string("verification") ?? "nothing known") + ")"
      normal +=
        record.isStaged && crash == .empty
        ? ", but unloaded from the crashkernel region since: load it again" : ": baton -e starts it"
    } else if isLoaded {
      normal = "loaded, but not by this boot's baton -l: baton -e starts it"
    }
    let crashText =
      switch crash {
      case .empty: "not loaded"
      case .dumpKernel: "loaded"
      case .stagedImage: "not loaded: the next kernel is staged there, and a panic resets"
      case .interrupted:
        "not loaded: what a baton -l staged there was left behind, and a panic resets; "
          + "baton -u removes it"
      }
    system.write(
      "next kernel: " + normal + "\ncrash kernel: " + crashText + "\n", to: .standardOutput)
    return isLoaded ? .success : .negative
  }

  private static func check<System: LinuxSystem>(_ system: System, json: Bool) -> ExitStatus {
    let survey = HostSurvey(system)
    system.write(
      json ? CheckReport.json(of: survey) : CheckReport.text(of: survey), to: .standardOutput)
    return survey.obstacles.first?.status ?? .success
  }

  private static func warn<System: LinuxSystem>(_ sentence: String, _ system: System) {
    system.write("baton: warning: " + sentence + "\n", to: .standardError)
  }

  private static func unload<System: LinuxSystem>(_ system: System) throws(BatonError) {
    try LoadPermission.require(byFile: true, system)
    let record = LoadRecord.takeAway(system)
    do throws(Errno) {
      // The normal slot first: no stage may be loaded that relies on what is not.
      if KernelFlags.isLockedDown(system) {
        try system.kexecFileUnload()
      } else {
        try SegmentLoader.unload(.normal, system)
      }
      switch LoadRecord.crashSlot(system) {
      case .stagedImage, .interrupted: try SegmentLoader.unload(.crash, system)
      case .empty, .dumpKernel: break
      }
    } catch {
      LoadRecord.putBack(record, system)
      throw .unload(error)
    }
    LoadRecord.forget(system)
  }

  private static func execute<System: LinuxSystem>(_ system: System) throws(BatonError) {
    guard KernelFlags.isThere(KernelFlags.normalSlot, system) else { throw .noKexec }
    guard system.isRoot else { throw .notRoot }
    guard KernelFlags.isLoaded(.normal, system) else { throw .nothingLoaded }
    let record = LoadRecord.current(system)
    if record?.isStaged == true, !KernelFlags.isLoaded(.crash, system) { throw .stagedImageGone }
    do throws(Errno) {
      try StartRecord.write(loaded: record, system)
    } catch {
      warn(StartRecord.path + ": " + error.text + ": baton --last will not know of this", system)
    }
    system.sync()
    let failure = system.rebootIntoLoadedKernel()
    // It did not start, and nobody is to ask later whether it arrived.
    do throws(Errno) { try system.remove(StartRecord.path) } catch {}
    throw .reboot(failure)
  }
}
