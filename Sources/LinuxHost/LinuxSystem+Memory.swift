extension LinuxSystem {
  /// The bytes that programs can still have without swapping (`MemAvailable` of /proc/meminfo,
  /// proc_meminfo(5)), or nil where the kernel does not say.
  public var availableMemory: UInt64? {
    let text: [UInt8]
    do throws(Errno) { text = try read("/proc/meminfo") } catch { return nil }
    for line in TextLines(text) {
      let words = line.words
      guard words.count == 3, words[0].equals("MemAvailable:"), words[2].equals("kB"),
        let kibibytes = words[1].number(radix: 10), kibibytes < 1 << 54
      else { continue }
      return kibibytes << 10
    }
    return nil
  }
}
