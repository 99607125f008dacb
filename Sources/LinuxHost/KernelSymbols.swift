extension LinuxSystem {
  /// The virtual address of one of the first symbols of the kernel's image (`_text`, `_stext`), or
  /// nil where /proc/kallsyms does not tell: it hides addresses from who may not see them.
  public func kernelAddress(of symbol: StaticString) -> UInt64? {
    let text: [UInt8]
    // The image's own symbols are sorted by address and come first.
    do throws(Errno) { text = try read("/proc/kallsyms", limit: 64 << 10) } catch { return nil }
    for line in TextLines(text) {
      let words = line.words
      guard words.count == 3, words[2].equals(symbol), let address = words[0].number(radix: 16),
        address != 0
      else { continue }
      return address
    }
    return nil
  }
}
