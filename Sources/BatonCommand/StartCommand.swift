import LinuxHost

/// `--exec`: starts what is loaded. Where that fails, the machine goes on.
struct StartCommand<System: LinuxSystem> {
  let invocation: Invocation
  let system: System
  /// Whether this process has the lock, from the load that it has done.
  var hasLock = false

  func run() throws(BatonError) {
    guard KernelFlags.isThere(KernelFlags.normalSlot, system) else { throw .noKexec }
    guard system.isRoot else { throw .notRoot }
    // What is noted is what starts: nobody loads anything in between.
    if !hasLock { try LoadLock.take(for: invocation, system) }
    try requireLoaded(nil)
    // First, since it may take minutes in which other tools load: the record is written whole by itself.
    if invocation.syncs { system.sync() }
    var record = LoadRecord.current(system)
    // What another tool has loaded over it is no plan of Baton's that could arrive.
    if record?.describes(.normal, system) == false { record = nil }
    try requireLoaded(record)
    // The stage would notice, but only reset.
    if let record, record.isStaged, record.describes(.crash, system) == false {
      throw .stagedImageGone
    }
    if LoadRecord.interrupted(system)?.isTorn == true { throw .stagedImageGone }
    do throws(Errno) {
      try StartRecord.write(loaded: record, system)
    } catch {
      warn(StartRecord.path + ": " + error.text + ": baton --last will not know of this")
    }
    for watchdog in Watchdog.running(system) {
      invocation.caller.say(watchdog.sentence, system)
    }
    // The last that the old kernel's log holds of it, for pstore and serial consoles.
    do throws(Errno) {
      try system.log(
        "baton: starting the loaded kernel"
          + (record?.string("planDigest").map { ", plan " + $0 } ?? "") + "\n")
    } catch {}
    let failure = start(record)
    // It did not start, and nobody is to ask later whether it arrived.
    do throws(Errno) { try system.remove(StartRecord.path) } catch {}
    throw failure
  }

  private func requireLoaded(_ record: JSONRecord?) throws(BatonError) {
    guard KernelFlags.isLoaded(.normal, system) else { throw .nothingLoaded }
    if let record, record.isStaged,
      !record.holdsCrashSlot || !KernelFlags.isLoaded(.crash, system)
    {
      throw .stagedImageGone
    }
  }

  /// Returns only where it fails.
  private func start(_ record: JSONRecord?) -> BatonError {
    let interfaces = invocation.takesInterfacesDown ? takeInterfacesDown() : []
    let failure = restart()
    bringUp(interfaces)
    do throws(BatonError) { try requireLoaded(record) } catch { return error }
    return failure == .busy ? .startIsBusy(seconds: BusyKernel.patience / 1000) : .reboot(failure)
  }

  /// reboot(2), once more and again while the kernel says that it is busy.
  private func restart() -> Errno {
    var failure = system.rebootIntoLoadedKernel()
    for _ in 0..<BusyKernel.patience / BusyKernel.interval where failure == .busy {
      system.sleep(milliseconds: BusyKernel.interval)
      failure = system.rebootIntoLoadedKernel()
    }
    return failure
  }

  /// A card that goes on receiving would write to memory that is the next kernel's.
  private func takeInterfacesDown() -> [String] {
    let (names, failure) = system.takeInterfacesDown()
    if let failure {
      warn("a network interface could not be taken down: " + failure.text)
    }
    return names
  }

  /// Brings those up again that were taken down, the last one first.
  private func bringUp(_ interfaces: [String]) {
    for interface in interfaces.reversed() {
      do throws(Errno) {
        try system.bringUp(interface)
        warn(
          "network interface " + interface
            + " was taken down and is up again; IPv6 addresses and routes of it may be gone")
      } catch {
        warn(
          "network interface " + interface + " was taken down and cannot be brought up again: "
            + error.text)
      }
    }
  }

  private func warn(_ sentence: String) {
    invocation.caller.warn(sentence, system)
  }
}
