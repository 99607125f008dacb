import BootFormats
import KexecRelocation
import LinuxHost

/// Why the command did not do what it was asked. Each has one sentence and one exit status.
enum BatonError: Error {
  case usage(UsageError)
  case file(String, Errno)
  case image(String, ImageError)
  case tree(String, DeviceTreeError)
  case memoryMapUnreadable(Errno)
  case memoryMap(SystemMemoryMap.Failure)
  case pageSize(UInt64)
  case commandLineUnreadable(Errno)
  case commandLineTooLong(Int)
  case randomness(Errno)
  case stage(StageImage.Malformed)
  case handoff(HandoffError)
  case notRoot
  case loadDisabled
  case lockedDown
  case noKexec
  case load(Errno)
  case unload(Errno)
  case nothingLoaded
  case reboot(Errno)
}
