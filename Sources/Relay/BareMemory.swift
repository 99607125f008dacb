import BareMetal
import CBareMetal
import PhysicalMemory
import RelayLoading

/// This machine's memory, mapped to itself.
struct BareMemory: LoaderMemory {
  func write(_ bytes: RawSpan, at address: PhysicalAddress) {
    // Sound: the loader writes only to memory that it was told to be free.
    unsafe bytes.withUnsafeBytes { source in
      guard let from = source.baseAddress else { return }
      let whole = source.count & ~63
      // The copy loop wants lines at both ends.
      if address.rawValue & 15 == 0, UInt(bitPattern: from) & 15 == 0 {
        baton_copy_lines(address.rawValue, UInt64(UInt(bitPattern: from)), UInt64(whole))
        unsafe copyBytes(
          from: from + whole, to: address + UInt64(whole), count: source.count - whole)
      } else {
        unsafe copyBytes(from: from, to: address, count: source.count)
      }
    }
  }

  private func copyBytes(from: UnsafeRawPointer, to: PhysicalAddress, count: Int) {
    guard let target = unsafe UnsafeMutableRawPointer(bitPattern: UInt(to.rawValue)) else { return }
    unsafe target.copyMemory(from: from, byteCount: count)
  }

  func clear(_ range: PhysicalRange) {
    guard let target = unsafe UnsafeMutableRawPointer(bitPattern: UInt(range.start.rawValue)) else {
      return
    }
    // Sound: as above.
    unsafe target.initializeMemory(as: UInt8.self, repeating: 0, count: Int(range.size))
  }

  func clean(_ range: PhysicalRange) {
    baton_clean_to_poc(range.start.rawValue, range.end.rawValue)
  }

  func read(_ range: PhysicalRange, _ body: (RawSpan) -> Void) {
    withBytes(of: range) { body($0) }
  }

  var ticks: UInt64 { Processor.counter }
}
