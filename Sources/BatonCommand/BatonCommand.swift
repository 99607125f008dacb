import KexecRelocation
import LinuxHost
import PhysicalMemory

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
      return try perform(invocation(arguments, as: .baton), system: system)
    } catch {
      Caller.baton.say(error.sentence(for: .baton), system)
      return error.status
    }
  }

  /// The same in kexec-tools' place, with its exit statuses.
  public static func runAsKexec<System: LinuxSystem>(
    _ arguments: [String], system: System
  ) -> Int32 {
    do throws(BatonError) {
      let invocation = try invocation(arguments, as: .kexec)
      if invocation.action == .status, !invocation.answersInJSON {
        return KexecStatus.answer(slot: invocation.slot, system)
      }
      return KexecStatus.number(of: try perform(invocation, system: system))
    } catch {
      Caller.kexec.say(error.sentence(for: .kexec), system)
      return KexecStatus.number(of: error)
    }
  }

  private static func invocation(
    _ arguments: [String], as caller: Caller
  ) throws(BatonError) -> Invocation {
    do throws(UsageError) { return try Invocation(parsing: arguments, as: caller) } catch {
      throw .usage(error)
    }
  }

  private static func perform<System: LinuxSystem>(
    _ invocation: Invocation, system: System
  ) throws(BatonError) -> ExitStatus {
    let caller = invocation.caller
    switch invocation.action {
    case .help:
      system.write(Help.text(for: caller), to: .standardOutput)
    case .version:
      let stage = try StageImage.embedded()
      // Scripts take the second word for the version whose options they may use.
      if caller == .kexec { system.write("kexec-tools 2.0.32, by ", to: .standardOutput) }
      let own = system.buildID
      let build = own.isEmpty ? "" : "build " + StageImage.text(ofBuildID: own) + ", "
      system.write(
        "baton " + String(version) + " (" + build + "stage " + stage.buildIDText + ")\n",
        to: .standardOutput)
    case .printCrashKernelSize:
      system.write(String(try crashKernelSize(system)) + "\n", to: .standardOutput)
    case .status:
      return try StatusReport.run(system, slot: invocation.slot, json: invocation.answersInJSON)
    case .last:
      return LastReport.run(invocation, system)
    case .check:
      return check(system, json: invocation.answersInJSON)
    case .unload:
      if caller == .kexec, invocation.slot == .crash, LoadRecord.hasStagedImage(system) {
        // Scripts unload a crash kernel that may not be there, and go on only if that succeeds.
        caller.warn("no crash kernel is loaded; what -l has staged in its place stays", system)
        break
      }
      try UnloadCommand(invocation: invocation, system: system).run()
    case .execute:
      try StartCommand(invocation: invocation, system: system).run()
    case .load(let image):
      try LoadCommand(invocation: invocation, imagePath: image, system: system).run()
      if invocation.isDryRun { break }
      switch invocation.afterLoading {
      case .nothing: if invocation.syncs { system.sync() }
      case .execute:
        try StartCommand(invocation: invocation, system: system, hasLock: true).run()
      case .shutDown: throw .shutdown(system.replaceByShutdown())
      }
    }
    return .success
  }

  /// The bytes of the last region that `crashkernel=` has reserved, 0 where there is none: what
  /// kexec-tools says.
  private static func crashKernelSize<System: LinuxSystem>(
    _ system: System
  ) throws(BatonError) -> UInt64 {
    let iomem: [UInt8]
    do throws(Errno) { iomem = try system.read("/proc/iomem") } catch {
      throw .memoryMapUnreadable(error)
    }
    do throws(SystemMemoryMap.Failure) {
      return try SystemMemoryMap(iomem: iomem).crashKernelReservations.last?.size ?? 0
    } catch {
      throw .memoryMap(error)
    }
  }

  private static func check<System: LinuxSystem>(_ system: System, json: Bool) -> ExitStatus {
    let survey = HostSurvey(system)
    system.write(
      json ? CheckReport.json(of: survey) : CheckReport.text(of: survey), to: .standardOutput)
    return survey.obstacles.first?.status ?? .success
  }
}
