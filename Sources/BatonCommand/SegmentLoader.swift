import CLinuxHost
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// Gives a plan to `kexec_load(2)`.
enum SegmentLoader {
  /// Loads the segments that the plan has for `slot`.
  static func load<System: LinuxSystem>(
    _ plan: HandoffPlan, slot: HandoffPlan.Slot, kernel: RawSpan, initrd: RawSpan,
    deviceTree: [UInt8], system: System
  ) throws(Errno) {
    let entry: PhysicalAddress
    let kexecSlot: KexecSlot
    switch slot {
    case .normal: (entry, kexecSlot) = (plan.entry, .normal)
    case .crash:
      guard let guardEntry = plan.guardEntry else { return }
      (entry, kexecSlot) = (guardEntry, .crash)
    }
    try load(
      plan.segments.filter { $0.slot == slot }, entry: entry, slot: kexecSlot, kernel: kernel,
      initrd: initrd, deviceTree: deviceTree, system: system)
  }

  /// Loads segments into a slot.
  static func load<System: LinuxSystem>(
    _ list: [HandoffPlan.Segment], entry: PhysicalAddress, slot: KexecSlot, kernel: RawSpan,
    initrd: RawSpan, deviceTree: [UInt8], system: System
  ) throws(Errno) {
    // The plan's own content goes into one buffer, whose address stays the same through the call.
    var words: [UInt64] = []
    var offsets: [Int] = []
    for segment in list {
      offsets.append(words.count)
      if case .words(let content) = segment.content { words += content }
    }
    var failure: Errno?
    // Sound: every pointer below is used inside the closures that lend it, and the call reads as
    // many bytes from each as the segment's size says, which is that of the content.
    unsafe words.withUnsafeBufferPointer { words in
      unsafe deviceTree.withUnsafeBytes { deviceTree in
        unsafe kernel.withUnsafeBytes { kernel in
          unsafe initrd.withUnsafeBytes { initrd in
            var segments: [linux_kexec_segment] = unsafe []
            for (segment, offset) in zip(list, offsets) {
              let buffer: UnsafeRawPointer?
              switch segment.content {
              case .given(.kernel): unsafe buffer = kernel.baseAddress
              case .given(.initrd): unsafe buffer = initrd.baseAddress
              case .given(.deviceTree): unsafe buffer = deviceTree.baseAddress
              // Content of the plan's own.
              case .given(.coreHeader): preconditionFailure("the core header is given as words")
              case .words:
                unsafe buffer = words.baseAddress.map { unsafe UnsafeRawPointer($0 + offset) }
              // The canary and the guard's tail are given as zeros.
              case .zeros, .given(.crashRegion): unsafe buffer = nil
              }
              unsafe segments.append(
                linux_kexec_segment(
                  buf: buffer, bufsz: Int(segment.givenSize),
                  mem: segment.destination.start.rawValue,
                  memsz: Int(segment.destination.size)))
            }
            unsafe segments.withUnsafeBufferPointer { segments in
              do throws(Errno) {
                try unsafe system.kexecLoad(
                  entry: entry.rawValue, segments: segments, slot: slot)
              } catch {
                failure = error
              }
            }
          }
        }
      }
    }
    if let failure { throw failure }
  }

  /// Empties a slot by the call that works here.
  static func empty<System: LinuxSystem>(_ slot: KexecSlot, _ system: System) throws(Errno) {
    if KernelFlags.isLockedDown(system) { return try system.kexecFileUnload(slot) }
    do throws(Errno) { try unload(slot, system) } catch {
      switch error {
      // A kernel with kexec_file_load(2) only.
      case .noSuchSystemCall: try system.kexecFileUnload(slot)
      // Or one that refuses this call, but perhaps not that one.
      case .permissionDenied, .notPermitted:
        do throws(Errno) { try system.kexecFileUnload(slot) } catch _ { throw error }
      default: throw error
      }
    }
  }

  static func unload<System: LinuxSystem>(_ slot: KexecSlot, _ system: System) throws(Errno) {
    // Sound: a list of no segments is never read.
    try unsafe system.kexecLoad(
      entry: 0, segments: UnsafeBufferPointer(start: nil, count: 0), slot: slot)
  }
}

extension HandoffPlan.Segment {
  /// In bytes: what the kernel is given for it. It fills in zeros by itself.
  var givenSize: UInt64 {
    switch content {
    case .zeros, .given(.crashRegion): 0
    case .given, .words: size
    }
  }
}
