/// What a crash kernel's userland found of the kernel that crashed, as it says on the console.
///
///     lab: vmcore 1906909184
///     lab: dmesg [   17.862922] Kernel panic - not syncing: sysrq triggered crash
///     lab: registers ffffbd30993833c8 ffffbd30993833d0 ffffbd30999d47f8 …
///
/// A line of registers belongs to a CPU: its program counter, then the return addresses that its
/// frames lead to.
public struct CoreDump: Sendable {
  /// `/proc/vmcore`'s size in bytes, or nil where there is none.
  public private(set) var size: UInt64?
  /// What `makedumpfile --dump-dmesg` found of the dead kernel's last words.
  public private(set) var lastWords: [String] = []
  /// The addresses of each CPU, innermost first.
  public private(set) var frames: [[UInt64]] = []
  /// The dead kernel's handler of SysRq c: from its first byte to the next symbol.
  public private(set) var handler: Range<UInt64>?
  /// Its function that writes the registers of the CPU that panics, and starts the crash kernel.
  public private(set) var crashFunction: Range<UInt64>?

  public init(_ lines: [String]) {
    var symbols: [[UInt64]] = [[], []]
    for line in lines {
      if line.hasPrefix("lab: vmcore ") {
        size = UInt64(line.dropFirst(12))
      } else if line.hasPrefix("lab: dmesg ") {
        lastWords.append(String(line.dropFirst(11)))
      } else if line.hasPrefix("lab: registers ") {
        frames.append(line.dropFirst(15).split(separator: " ").compactMap { UInt64($0, radix: 16) })
      } else {
        for (index, name) in ["sysrq_handle_crash", "__crash_kexec"].enumerated() {
          let prefix = "lab: \(name) "
          guard line.hasPrefix(prefix),
            let address = UInt64(
              line.dropFirst(prefix.count).prefix { $0 != " " }, radix: 16)
          else { continue }
          symbols[index].append(address)
        }
      }
    }
    func range(_ ends: [UInt64]) -> Range<UInt64>? {
      ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
    }
    handler = range(symbols[0])
    crashFunction = range(symbols[1])
  }

  /// How many CPUs were in the handler when they stopped, or called on from there: a call that does
  /// not return is the last instruction, so that its return address is the next symbol's.
  public var cpusInHandler: Int {
    guard let handler else { return 0 }
    return frames.filter { $0.contains { handler.contains($0 &- 4) } }.count
  }

  /// The frames as distances from the handler, which do not depend on where the kernel lay.
  public var relativeFrames: [[UInt64]] {
    guard let handler else { return [] }
    return frames.map { $0.map { $0 &- handler.lowerBound } }
  }
}
