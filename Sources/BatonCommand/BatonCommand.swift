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
        return try reportStatus(
          system, slot: invocation.slot, json: invocation.answersInJSON)
      case .last:
        return LastReport.run(system, json: invocation.answersInJSON)
      case .check:
        return check(system, json: invocation.answersInJSON)
      case .unload:
        try unload(invocation.slot, system)
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
    _ system: System, slot: KexecSlot, json: Bool
  ) throws(BatonError) -> ExitStatus {
    guard KernelFlags.isThere(KernelFlags.normalSlot, system) else { throw .noKexec }
    let isLoaded = KernelFlags.isLoaded(.normal, system)
    let isCrashLoaded = KernelFlags.isLoaded(.crash, system)
    let status: ExitStatus =
      (slot == .normal ? isLoaded : isCrashLoaded) ? .success : .negative
    let record = LoadRecord.current(system)
    let crashRecord = LoadRecord.current(system, slot: .crash)
    if json {
      system.write(
        JSONText.object { json in
          json.member("loaded", isLoaded)
          json.member("loadedByBaton", record != nil)
          json.member("planDigest", record?.string("planDigest"))
          json.member("kernel", record?.string("kernel"))
          json.member("verification", record?.string("verification"))
          json.member("crashKernelLoaded", isCrashLoaded)
          json.member("crashKernel", crashRecord?.string("kernel"))
          json.member("crashKernelVerification", crashRecord?.string("verification"))
        }, to: .standardOutput)
      return status
    }
    var normal = "not loaded"
    if let record {
      normal = "loaded: " + (record.string("kernel") ?? "a kernel") + " (verifies "
      normal += (record.string("verification") ?? "nothing known") + "): baton -e starts it"
    } else if isLoaded {
      normal = "loaded, but not by this boot's baton -l: baton -e starts it"
    }
    var crash = isCrashLoaded ? "loaded" : "not loaded"
    if let crashRecord {
      crash += ": " + (crashRecord.string("kernel") ?? "a kernel") + " (verifies "
      crash += (crashRecord.string("verification") ?? "nothing known") + "): a panic starts it"
    }
    system.write(
      "next kernel: " + normal + "\ncrash kernel: " + crash + "\n", to: .standardOutput)
    return status
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

  private static func unload<System: LinuxSystem>(
    _ slot: KexecSlot, _ system: System
  ) throws(BatonError) {
    try LoadPermission.require(system, slot: slot)
    let record = LoadRecord.takeAway(slot, system)
    do throws(Errno) {
      // Sound: a list of no segments is never read.
      try unsafe system.kexecLoad(
        entry: 0, segments: UnsafeBufferPointer(start: nil, count: 0), slot: slot)
    } catch {
      LoadRecord.putBack(record, slot, system)
      throw .unload(error)
    }
  }

  private static func execute<System: LinuxSystem>(_ system: System) throws(BatonError) {
    guard KernelFlags.isThere(KernelFlags.normalSlot, system) else { throw .noKexec }
    guard system.isRoot else { throw .notRoot }
    guard KernelFlags.isLoaded(.normal, system) else { throw .nothingLoaded }
    do throws(Errno) {
      try StartRecord.write(loaded: LoadRecord.current(system), system)
    } catch {
      warn(StartRecord.path + ": " + error.text + ": baton --last will not know of this", system)
    }
    for watchdog in Watchdog.running(system) {
      system.write("baton: " + watchdog.sentence + "\n", to: .standardError)
    }
    // The last that the old kernel's log holds of it, for pstore and serial consoles.
    do throws(Errno) {
      try system.log(
        "baton: starting the loaded kernel"
          + (LoadRecord.current(system)?.string("planDigest").map { ", plan " + $0 } ?? "") + "\n")
    } catch {}
    system.sync()
    let failure = system.rebootIntoLoadedKernel()
    // It did not start, and nobody is to ask later whether it arrived.
    do throws(Errno) { try system.remove(StartRecord.path) } catch {}
    throw .reboot(failure)
  }
}
