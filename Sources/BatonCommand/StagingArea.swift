import KexecRelocation
import LinuxHost
import PhysicalMemory

/// The memory that `crashkernel=` reserved and the crash slot takes, as this machine has it.
enum StagingArea {
  /// The region that the crash slot's segments have to lie in, or nil where there is none.
  ///
  /// Where memory below 4 GiB was reserved beside it (`crashkernel=…,low`), /proc/iomem calls both
  /// "Crash kernel". What /sys/kernel/kexec_crash_size tells is the size of the one that is meant, and
  /// from Linux 6.5 on that of both together; then it is the higher one.
  ///
  /// - Throws: `.busy`, where another program is in a call for a slot, and does not come to its end.
  static func region<System: LinuxSystem>(
    of memory: SystemMemoryMap, _ system: System
  ) throws(Errno) -> PhysicalRange? {
    guard let size = try reservedSize(system), size > 0 else { return nil }
    let reservations = memory.crashKernelReservations
    return reservations.last { $0.size == size }
      ?? (memory.crashKernel.size == size ? reservations.last : nil)
  }

  /// What the kernel says that it has reserved, in bytes; nil where it says nothing.
  private static func reservedSize<System: LinuxSystem>(
    _ system: System
  ) throws(Errno) -> UInt64? {
    var waited: UInt64 = 0
    while true {
      do throws(Errno) {
        let content = try system.read("/sys/kernel/kexec_crash_size")
        return UInt64(KernelFlags.firstLine(of: content))
      } catch {
        guard error == .busy else { return nil }
        guard waited < BusyKernel.patience else { throw error }
      }
      system.sleep(milliseconds: BusyKernel.interval)
      waited += BusyKernel.interval
    }
  }
}

/// Why a load does not go through the crash region.
enum StagingObstacle: Sendable {
  case noRegion(needed: UInt64)
  /// Another program is in a call for a slot for so many seconds.
  case busy(seconds: UInt64)
  /// Bytes; `needed` is what everything would take in place.
  case tooSmall(size: UInt64, needed: UInt64)
  /// A dump kernel is loaded there, and `--replace-crash-kernel` was not given.
  case dumpKernelLoaded
  /// The next kernel is told to reserve memory at a fixed place that holds what runs in place.
  case collision(PhysicalRange)
  case recordUnwritable(Errno)
  /// The sysctl that leaves too few calls of `kexec_load(2)` for two slots.
  case loadsUsedUp(StaticString)

  var sentence: String {
    switch self {
    case .noRegion(let needed):
      "no memory is reserved for a crash kernel, where all of this takes " + Self.mebibytes(needed)
        + "; boot with " + Self.argument(needed)
    case .busy(let seconds):
      "another program has been loading a kernel for " + String(seconds) + " s; try again"
    case .tooSmall(let size, let needed):
      "the crashkernel region has " + String(size >> 20) + " MiB and all of this takes "
        + Self.mebibytes(needed) + " there; boot with " + Self.argument(needed)
    case .dumpKernelLoaded:
      "a dump kernel is loaded in the crashkernel region"
    case .collision(let range):
      "the next command line's crashkernel= reserves " + range.text
        + ", where the next kernel would lie"
    case .loadsUsedUp(let name):
      "sysctl kernel." + String(name) + " leaves too few loads for two slots"
    case .recordUnwritable(let error): LoadRecord.path + ": " + error.text
    }
  }

  private static func mebibytes(_ size: UInt64) -> String {
    String((size + (1 << 20) - 1) >> 20) + " MiB"
  }

  /// The argument that would reserve so many bytes, with room to spare.
  private static func argument(_ needed: UInt64) -> String {
    let unit: UInt64 = 16 << 20
    return "crashkernel=" + String(((needed + unit - 1) & ~(unit - 1)) >> 20) + "M"
  }
}
