import PhysicalMemory

/// `crashkernel=SIZE@OFFSET` of a command line (Linux kernel-parameters.txt): the one form that
/// names a place.
enum CrashKernelArgument {
  /// What the next kernel will try to reserve at a fixed place, or nil where the line asks for none
  /// or leaves the place to the kernel.
  ///
  /// Of several sizes for machines with more or less memory the largest counts.
  static func fixedRange(in commandLine: [UInt8]) -> PhysicalRange? {
    var result: PhysicalRange?
    for word in commandLine.split(separator: 0x20) where word.starts(with: "crashkernel=".utf8) {
      // The last one counts, but for those that say ,high or ,low, and they name no place.
      let value = word.dropFirst("crashkernel=".utf8.count)
      guard let at = value.lastIndex(of: UInt8(ascii: "@")) else { continue }
      var size: UInt64 = 0
      for part in value[..<at].split(separator: UInt8(ascii: ",")) {
        // START-[END]:SIZE, or SIZE.
        let digits = part.lastIndex(of: UInt8(ascii: ":")).map { part[($0 + 1)...] } ?? part
        size = max(size, memparse(digits) ?? 0)
      }
      guard size > 0, let start = memparse(value[(at + 1)...]) else { continue }
      result = PhysicalRange(start: PhysicalAddress(start), size: size)
    }
    return result
  }

  /// A number as Linux's memparse() reads it: decimal, 0x…, with K, M, G or T behind it.
  private static func memparse(_ text: ArraySlice<UInt8>) -> UInt64? {
    let isHexadecimal = text.starts(with: "0x".utf8) || text.starts(with: "0X".utf8)
    var digits = text.dropFirst(isHexadecimal ? 2 : 0)
    var shift: UInt64 = 0
    switch digits.last {
    case UInt8(ascii: "K"), UInt8(ascii: "k"): shift = 10
    case UInt8(ascii: "M"), UInt8(ascii: "m"): shift = 20
    case UInt8(ascii: "G"), UInt8(ascii: "g"): shift = 30
    case UInt8(ascii: "T"), UInt8(ascii: "t"): shift = 40
    default: break
    }
    if shift > 0 { digits = digits.dropLast() }
    guard
      let number = UInt64(String(decoding: digits, as: UTF8.self), radix: isHexadecimal ? 16 : 10)
    else { return nil }
    let (value, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : value
  }
}
