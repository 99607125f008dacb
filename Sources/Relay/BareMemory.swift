import BareMetal
import CBareMetal
import CRelay
import PhysicalMemory
import RelayLoading

/// This machine's memory, mapped to itself.
struct BareMemory: LoaderMemory {
  func write(_ bytes: RawSpan, at address: PhysicalAddress) {
    // Sound: the loader writes only to memory that it was told to be free.
    unsafe bytes.withUnsafeBytes { source in
      relay_copy(
        address.rawValue, UInt64(UInt(bitPattern: source.baseAddress)), UInt64(source.count))
    }
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
