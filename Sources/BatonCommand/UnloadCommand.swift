import LinuxHost

/// `--unload`: empties the slots of what Baton loaded, and of what something else did only where that
/// is asked for.
struct UnloadCommand<System: LinuxSystem> {
  let invocation: Invocation
  let system: System

  func run() throws(BatonError) {
    // Unloading is a call that the kernel refuses for the same reasons as a load.
    try LoadPermission.require(byFile: true, slot: invocation.slot, system)
    try LoadLock.take(for: invocation, system)
    switch invocation.slot {
    case .normal: try unloadNextKernel()
    case .crash: try unloadCrashKernel()
    }
  }

  /// With what `-l` staged in the crash slot for it; a dump kernel is none of that.
  private func unloadNextKernel() throws(BatonError) {
    let leaves = !invocation.unloadsAnything && LoadRecord.isNextKernelOfOthers(system)
    let record = LoadRecord.takeAway(before: .nothing, system)
    if leaves {
      say("the loaded kernel is not of this boot's baton -l and stays: baton -u -f unloads it")
    } else {
      // First: no stage may be loaded that relies on what is not.
      do throws(Errno) { try SegmentLoader.empty(.normal, system) } catch {
        LoadRecord.putBack(record, system)
        throw .unload(error)
      }
    }
    switch LoadRecord.crashSlot(system) {
    case .stagedImage, .interrupted:
      // If it is refused, the record that nothing but that is left stays.
      _ = LoadRecord.takeAway(before: .nothing, system)
      do throws(Errno) { try SegmentLoader.empty(.crash, system) } catch {
        throw .unloadStaged(error)
      }
    case .dumpKernel:
      if !invocation.unloadsAnything {
        say("the crash kernel stays loaded: baton -p -u unloads it")
      }
    case .empty: break
    }
    LoadRecord.forget(system)
  }

  private func unloadCrashKernel() throws(BatonError) {
    try CrashRecord.requireNothingStaged(system)
    if !invocation.unloadsAnything, KernelFlags.isLoaded(.crash, system),
      CrashRecord.current(system) == nil
    {
      return say(
        "the crash kernel is not of this boot's baton -p and stays: baton -p -u -f unloads it")
    }
    do throws(Errno) { try SegmentLoader.empty(.crash, system) } catch { throw .unload(error) }
    CrashRecord.forget(system)
  }

  private func say(_ sentence: String) {
    invocation.caller.say(sentence, system)
  }
}
