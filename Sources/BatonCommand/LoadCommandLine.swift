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
      line = words(of: line, without: "BOOT_IMAGE=")
      if invocation.slot == .crash { line = words(of: line, without: "crashkernel=") }
    }
    if let appended = invocation.commandLine {
      if !line.isEmpty, !appended.isEmpty { line.append(0x20) }
      line += Array(appended.utf8)
    }
    guard line.count <= maximumSize else { throw .commandLineTooLong(line.count) }
    return isGiven || image != nil ? line : nil
  }

  /// The line without the words that set a parameter of the running kernel's alone.
  private static func words(of line: [UInt8], without parameter: String) -> [UInt8] {
    // Empty words are kept: in a quoted value, two spaces are two.
    let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
    return Array(words.filter { !$0.starts(with: parameter.utf8) }.joined(separator: [0x20]))
  }
}
