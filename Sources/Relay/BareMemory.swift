import BareMetal
import BootDigests
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

  func read<Result, Failure>(
    _ range: PhysicalRange, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withBytes(of: range, body)
  }

  /// How this CPU digests.
  var digests: SHA256.Implementation { Processor.hasSHA256 ? .armv8 : .portable }

  /// The SHA-256 of what lies in `range`.
  func digest(_ range: PhysicalRange) -> SHA256Digest {
    withBytes(of: range) {
      SHA256.digest(of: $0, using: digests)
    }
  }

  /// Fills `range` with words that say where they are.
  func fill(_ range: PhysicalRange) {
    guard let words = unsafe UnsafeMutablePointer<UInt64>(bitPattern: UInt(range.start.rawValue))
    else { return }
    for index in 0..<Int(range.size / 8) {
      // Sound: the caller's memory.
      unsafe words[index] = (range.start.rawValue &+ 8 * UInt64(index)) &* 0x9E37_79B9_7F4A_7C15
    }
  }

  func word(at address: PhysicalAddress) -> UInt64 {
    // Sound: mapped memory.
    unsafe UnsafePointer<UInt64>(bitPattern: UInt(address.rawValue)).unsafelyUnwrapped.pointee
  }

  func setWord(_ word: UInt64, at address: PhysicalAddress) {
    // Sound: mapped memory, and the caller's.
    unsafe UnsafeMutablePointer<UInt64>(bitPattern: UInt(address.rawValue)).unsafelyUnwrapped
      .pointee = word
  }

  func copy(_ size: UInt64, from source: PhysicalAddress, to target: PhysicalAddress) {
    relay_copy(target.rawValue, source.rawValue, size)
  }

  var ticks: UInt64 { Processor.counter }
}
