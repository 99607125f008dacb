import LinuxHost

extension LoadCommand {
  func digesting(_ sizes: LoadSizes) -> Progress<System> { progress("digesting", sizes) }

  func loading(_ sizes: LoadSizes) -> Progress<System> { progress("loading", sizes) }

  private func progress(_ work: String, _ sizes: LoadSizes) -> Progress<System> {
    Progress(
      work, total: UInt64(sizes.kernel + sizes.initrd + sizes.deviceTree),
      for: invocation.audience, system)
  }

  /// A kernel that panics without `panic=` stands still, and nobody may be there to see it.
  func warnOfPanic(_ commandLine: [UInt8]) {
    for word in commandLine.split(separator: 0x20) where word.starts(with: "panic=".utf8) { return }
    warn(
      "no panic= on the next kernel's command line: after a panic of its own it may stand still for "
        + "ever; panic=10 restarts the machine")
  }
}
