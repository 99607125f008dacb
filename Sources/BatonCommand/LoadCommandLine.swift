import LinuxHost

/// The next kernel's command line.
enum LoadCommandLine {
  /// COMMAND_LINE_SIZE of arm64 Linux, its terminator apart.
  static let maximumSize = 2047

  /// - Parameter image: the command line that a UKI brings, for where no option gives one.
  /// - Returns: the bytes without a terminator, or nil to leave the tree's own in place, because nothing was
  /// asked for.
  ///
  /// As in kexec-tools, `--reuse-cmdline` comes first, without the boot loader's `BOOT_IMAGE=` and,
  /// for a crash kernel, which has no memory to reserve for another, without `crashkernel=`;
  /// `--append` comes after it. An empty `--append` is an empty command line, not none.
  static func resolve<System: LinuxSystem>(
    _ invocation: Invocation, image: [UInt8]? = nil, system: System
  ) throws(BatonError) -> [UInt8]? {
    let isGiven = invocation.commandLine != nil || invocation.reusesCommandLine
    var line = isGiven ? [] : image ?? []
    if invocation.reusesCommandLine {
      do throws(Errno) { line = try system.read("/proc/cmdline") } catch {
        throw .commandLineUnreadable(error)
      }
      while let last = line.last, last == 0 || last == 0x0A || last == 0x20 { line.removeLast() }
      line = without("BOOT_IMAGE=", line)
      // The crash kernel has but what was reserved.
      if invocation.slot == .crash { line = without("crashkernel=", line) }
    }
    if let appended = invocation.commandLine {
      if !line.isEmpty, !appended.isEmpty { line.append(0x20) }
      line += Array(appended.utf8)
    }
    guard line.count <= maximumSize else { throw .commandLineTooLong(line.count) }
    return isGiven || image != nil ? line : nil
  }

  /// The line without the words that begin so: a boot loader's, which say what it has started, are
  /// not true of what is started this time.
  private static func without(_ beginning: String, _ line: [UInt8]) -> [UInt8] {
    // Empty words are kept: in a quoted value, two spaces are two.
    let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
    return Array(words.filter { !$0.starts(with: beginning.utf8) }.joined(separator: [0x20]))
  }
}
