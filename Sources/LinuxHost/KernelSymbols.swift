extension LinuxSystem {
  /// The virtual address of a symbol of the kernel's image, or nil where /proc/kallsyms does not tell:
  /// it hides addresses from who may not see them.
  public func kernelAddress(of symbol: StaticString) -> UInt64? {
    // The image's own symbols are sorted by address and come first: a function is found long before
    // the end, `_text` at once.
    for limit in [64 << 10, 1 << 20, 16 << 20] {
      let text: [UInt8]
      do throws(Errno) { text = try read("/proc/kallsyms", limit: limit) } catch { return nil }
      for line in TextLines(text) where line.suffix(symbol.utf8CodeUnitCount).equals(symbol) {
        let words = line.words
        guard words.count == 3, words[2].equals(symbol) else { continue }
        guard let address = words[0].number(radix: 16), address != 0 else { return nil }
        return address
      }
      if text.count < limit { return nil }
    }
    return nil
  }
}
