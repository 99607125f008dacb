import BootFormats
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// Why the command did not do what it was asked. Each has one sentence and one exit status.
enum BatonError: Error {
  case usage(UsageError)
  case file(String, Errno)
  case image(String, ImageError)
  case fit(String, FITError)
  case unifiedImage(String, UnifiedKernelImageError)
  case zboot(String, EFIZbootError)
  /// `--config` for a file that is no FIT image.
  case noConfigurations(String)
  /// A file that has another size when it is read again.
  case fileChanges(String)
  case compressed(String, Compression, DecompressionError)
  case tree(String, DeviceTreeError)
  case memoryMapUnreadable(Errno)
  case memoryMap(SystemMemoryMap.Failure)
  case pageSize(UInt64)
  case commandLineUnreadable(Errno)
  case commandLineTooLong(Int)
  case randomness(Errno)
  case stage(StageImage.Malformed)
  case handoff(HandoffError)
  /// The device tree at this path describes reserved memory or CPUs so that it cannot be told.
  case treeContent(String)
  /// The Image at this path has pages that this CPU lacks.
  case pageSizeLacking(String, Granule, cpu: StaticString)
  /// The kernel may have so many CPUs, and this one cannot be switched off.
  case cpuStays(String, possible: Int)
  /// Bytes that loading takes, and those that are free.
  case tooLittleMemory(needed: UInt64, available: UInt64?)
  case notRoot
  case loadDisabled
  /// The sysctl of this name allows no more calls in this boot.
  case loadsUsedUp(StaticString)
  case lockedDown
  case noKexec
  case load(Errno)
  case unload(Errno)
  /// `--via=crashkernel` cannot be.
  case staging(StagingObstacle)
  /// One of the calls of a staged load failed: both slots are empty.
  case stagedLoad(KexecSlot, Errno)
  /// What was staged is no longer in the crash slot.
  case stagedImageGone
  /// `kexec_file_load(2)` refused.
  case fileLoad(Errno)
  /// An image in a format that `kexec_file_load(2)` does not take.
  case notForFileLoad(String)
  /// `--require-verified`, and only `kexec_file_load(2)` would load here.
  case cannotVerify
  /// An option that `kexec_file_load(2)` cannot honour, on a kernel that is locked down.
  case lockedDownWith(option: String)
  case nothingLoaded
  case reboot(Errno)
}
