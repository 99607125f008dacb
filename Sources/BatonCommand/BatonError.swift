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
  /// A file changed between its digest and the end of the load; whether what was loaded of it could
  /// not be unloaded again.
  case fileChanged(String, KexecSlot, isLoaded: Bool)
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
  /// A table of ACPI's that is broken.
  case acpi(ACPITableKind, ACPITableError)
  /// Nothing can reset the machine where the stage fails, and it was not told to halt.
  case noReset
  case notRoot
  case loadDisabled
  /// The sysctl of this name allows no more calls in this boot.
  case loadsUsedUp(StaticString)
  case lockedDown
  case noKexec
  case load(Errno)
  case unload(Errno)
  /// The normal slot is empty, but what is staged for it stays in the crash slot.
  case unloadStaged(Errno)
  /// `--via=crashkernel` cannot be.
  case staging(StagingObstacle)
  /// One of the calls of a staged load failed: the normal slot is empty now; and whether the crash
  /// slot holds something still.
  case stagedLoad(KexecSlot, Errno, isCrashSlotLoaded: Bool)
  /// Another process changes what is loaded at this moment.
  case anotherBaton
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
  /// The next kernel is staged in the crash slot.
  case crashSlotIsStaged
  /// No memory is reserved for a crash kernel.
  case noCrashRegion
  /// The reservation, what is to be loaded there and what `crashkernel=` would do; bytes.
  case crashRegionTooSmall(PhysicalRange, needed: UInt64)
  case crashNotes(CrashNotesFailure)
  /// More program headers than an ELF header counts.
  case tooMuchMemoryToDescribe(count: Int)
  /// The cells of this tree's root cannot hold the crash kernel's addresses.
  case treeCells(String)
  /// As `load`, of the crash slot; and whether that now holds something.
  case loadPanic(Errno, left: CrashSlotLeft)
  /// As `fileLoad`, likewise.
  case fileLoadPanic(Errno, left: CrashSlotLeft)
  case reboot(Errno)
  /// Another program has held what loads and starts kernels for so long.
  case startIsBusy(seconds: UInt64)
  /// shutdown(8) could not be run.
  case shutdown(Errno)
  /// `--serial` names nothing that the stage can drive.
  case serial(String)
  /// `--type` says what the file at this path is not.
  case wrongType(String, KernelType)
  /// The running kernel has not kept its initrd, or does not show it.
  case initrdNotRetained
}
