import LinuxHost

/// Several initial RAM disks in a row, as one: each begins at a multiple of four bytes, where the
/// kernel's unpacker wants a cpio archive (Linux init/initramfs.c), behind zeros, which it skips.
enum JoinedInitrd {
  /// Whether a kernel without an initrd would take another: behind UEFI it looks for the one that the
  /// boot loader handed to the first kernel (LINUX_EFI_INITRD), where something else lies by now. An
  /// archive of zeros, in which there is nothing, keeps it from that.
  static func needsOne<System: LinuxSystem>(_ system: System) -> Bool {
    KernelFlags.isThere("/sys/firmware/efi/systab", system)
  }

  /// The bytes of an archive of zeros.
  static var emptySize: Int { 4 }

  /// Maps `first`, which may be empty, and the files at `paths`, of which there are some, as one.
  static func map<System: LinuxSystem>(
    first: RawSpan, paths: [String], for audience: Audience, _ system: System
  ) throws(BatonError) -> MappedFile {
    if first.byteCount == 0, paths.count == 1 {
      return try system.map(paths[0], for: audience)
    }
    // Each is mapped twice: first for its size.
    var starts: [Int] = []
    var end = first.byteCount
    for path in paths {
      let start = (end + 3) & ~3
      let (sum, overflow) = start.addingReportingOverflow(
        try system.map(path, for: audience).byteCount)
      guard !overflow else { throw .file(path, .noMemory) }
      starts.append(start)
      end = sum
    }
    try Suitability.requireMemory(UInt64(end), system)
    var result: MappedFile
    do throws(Errno) { result = try MappedFile(zeroes: end) } catch {
      throw .tooLittleMemory(needed: UInt64(end), available: nil)
    }
    result.store(first, at: 0)
    for (index, path) in paths.enumerated() {
      let file = try system.map(path, for: audience)
      let size = (index + 1 < starts.count ? starts[index + 1] : end) - starts[index]
      // Up to three bytes of padding are in the difference.
      guard file.byteCount <= size, size - file.byteCount < 4 else { throw .fileChanges(path) }
      file.withBytes { result.store($0, at: starts[index]) }
    }
    return result
  }
}
