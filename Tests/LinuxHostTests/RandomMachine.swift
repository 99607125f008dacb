import PhysicalMemory

/// A machine's memory at random, and its /proc/iomem.
struct RandomMachine {
  private(set) var text = ""
  private(set) var systemRAM = PhysicalRangeSet()
  private(set) var reserved = PhysicalRangeSet()
  private(set) var crashKernel = PhysicalRangeSet()
  /// Memory that nobody claims.
  private(set) var free = PhysicalRangeSet()
  private var cursor: UInt64 = 0

  init(using generator: inout some RandomNumberGenerator) {
    for _ in 0..<Int.random(in: 1...6, using: &generator) {
      // Banks never touch: the kernel's would be one.
      cursor += UInt64.random(in: 1...0x4_0000, using: &generator) << 12
      if Bool.random(using: &generator) {
        let device = next(pages: 1...64, using: &generator)
        write(device, "serial@" + String(device.start.rawValue, radix: 16), depth: 0)
        cursor += 0x1000
      }
      var parts: [(PhysicalRange, String?)] = []
      let bankStart = cursor
      for _ in 0..<Int.random(in: 1...5, using: &generator) {
        let part = next(pages: 1...0x1000, using: &generator)
        let name =
          ["reserved", "Crash kernel", "EFI memory", nil, nil]
          .randomElement(using: &generator) ?? nil
        switch name {
        case nil: free.insert(part)
        case "Crash kernel": crashKernel.insert(part)
        default: reserved.insert(part)
        }
        parts.append((part, name))
      }
      let bank = PhysicalRange(PhysicalAddress(bankStart), upTo: PhysicalAddress(cursor))
      systemRAM.insert(bank)
      write(bank, "System RAM", depth: 0)
      for case (let part, let name?) in parts { write(part, name, depth: 1) }
    }
  }

  private mutating func next(
    pages: ClosedRange<UInt64>, using generator: inout some RandomNumberGenerator
  ) -> PhysicalRange {
    let start = cursor
    cursor += UInt64.random(in: pages, using: &generator) << 12
    return PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(cursor))
  }

  private mutating func write(_ range: PhysicalRange, _ name: String, depth: Int) {
    func address(_ value: UInt64) -> String {
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }
    text += String(repeating: "  ", count: depth)
    text += address(range.start.rawValue) + "-" + address(range.end.rawValue - 1)
    text += " : " + name + "\n"
  }
}
