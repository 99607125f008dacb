extension PlacementError {
  /// What there is no place for.
  public var sentence: String {
    func noRoom(_ what: StaticString, _ size: UInt64) -> String {
      "no free memory of \(size) bytes for \(what) where the boot protocol allows it"
    }
    return switch self {
    case .noRoomForKernel(let size): noRoom("the kernel", size)
    case .noRoomForInitrd(let size): noRoom("the initrd", size)
    case .noRoomForDeviceTree(let size): noRoom("the device tree", size)
    case .noRoomForCoreHeader(let size): noRoom("the crash dump's header", size)
    case .noRoomForStage(let size): noRoom("baton's stage", size)
    case .textOffsetNotPageAligned(let offset, let pageSize):
      "the kernel asks for text_offset 0x\(String(offset, radix: 16)), which pages of "
        + "\(pageSize) bytes do not allow"
    case .deviceTreeTooLarge(let size):
      "the device tree has \(size) bytes; the boot protocol allows 2 MiB"
    case .noRoomInCrashRegion(let size):
      "the crashkernel region of \(size >> 20) MiB takes neither kernel nor initrd"
    }
  }
}
