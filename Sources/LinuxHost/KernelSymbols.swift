extension LinuxSystem {
  /// Finds symbols of the kernel's image in one pass through /proc/kallsyms: megabytes, which the kernel
  /// composes anew for each reader.
  ///
  /// What is not there is not met, and nothing is where the file cannot be read: the kernel hides
  /// addresses from who may not see them.
  ///
  /// - Parameters:
  ///   - names: of the symbols.
  ///   - body: called with the index in `names` and the virtual address of each that is met, in the
  ///     file's order, which is that of the image's addresses, until it returns false.
  public func findKernelSymbols(
    _ names: [StaticString], _ body: (_ index: Int, _ address: UInt64) -> Bool
  ) {
    /// Whether the pass is to go on.
    func meets(_ line: ArraySlice<UInt8>) -> Bool {
      for (index, name) in names.enumerated()
      where line.suffix(name.utf8CodeUnitCount).equals(name) {
        let words = line.words
        guard words.count == 3, words[2].equals(name), let address = words[0].number(radix: 16)
        else { continue }
        // None lies there: it is hidden, as are all.
        return address != 0 && body(index, address)
      }
      return true
    }
    // In bytes, against a file without end, and against one without lines.
    var left = 64 << 20
    let longestLine = 4096
    /// Of a line whose end is in the next part.
    var beginning: [UInt8] = []
    do throws(Errno) {
      try read("/proc/kallsyms") { part in
        left -= part.count
        var rest = part
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
          let line = beginning.isEmpty ? rest[..<end] : (beginning + rest[..<end])[...]
          guard meets(line) else { return false }
          beginning = []
          rest = rest[(end + 1)...]
        }
        beginning += rest
        return left > 0 && beginning.count <= longestLine
      }
    } catch {
      return
    }
  }
}
