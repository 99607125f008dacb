import LinuxHost

extension LoadCommand {
  func digesting(_ sizes: LoadSizes) -> Progress<System> { progress("digesting", sizes) }

  func loading(_ sizes: LoadSizes) -> Progress<System> { progress("loading", sizes) }

  private func progress(_ work: String, _ sizes: LoadSizes) -> Progress<System> {
    Progress(
      work, total: UInt64(sizes.kernel + sizes.initrd + sizes.deviceTree),
      for: invocation.audience, system)
  }
}
