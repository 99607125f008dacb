import PhysicalMemory

extension DebugStub {
  /// A packet of QEMU's stub holds 4096 characters, two to a byte.
  private static let chunk: UInt64 = 1024

  /// Reads a range of physical memory of any size.
  public func read(_ range: PhysicalRange) throws(LabError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(range.size))
    while UInt64(bytes.count) < range.size {
      let done = UInt64(bytes.count)
      bytes += try read(range.start + done, count: Int(min(Self.chunk, range.size - done)))
    }
    return bytes
  }

  /// Writes any number of bytes to physical memory.
  public func writeAll(_ bytes: [UInt8], to address: PhysicalAddress) throws(LabError) {
    for start in stride(from: 0, to: bytes.count, by: Int(Self.chunk)) {
      let end = min(start + Int(Self.chunk), bytes.count)
      try write(Array(bytes[start..<end]), to: address + UInt64(start))
    }
  }
}
