import KexecRelocation
import PhysicalMemory

/// Memory whose pages are clean to the point of coherency as soon as they are filled: *off* reads
/// them around the caches, and so does the next kernel what is loaded right into its place.
///
/// Words are not cleaned: nobody but the loader reads its lists.
struct CleanedMemory<Memory: LoaderMemory>: PageMemory {
  let memory: Memory

  func word(at address: PhysicalAddress) -> UInt64 { memory.word(at: address) }

  func setWord(_ word: UInt64, at address: PhysicalAddress) {
    memory.setWord(word, at: address)
  }

  func write(_ bytes: RawSpan, at address: PhysicalAddress) {
    memory.write(bytes, at: address)
    memory.clean(PhysicalRange(address, upTo: address + UInt64(bytes.byteCount)))
  }

  func clear(_ range: PhysicalRange) {
    memory.clear(range)
    memory.clean(range)
  }

  func copy(_ size: UInt64, from source: PhysicalAddress, to target: PhysicalAddress) {
    memory.copy(size, from: source, to: target)
    memory.clean(PhysicalRange(target, upTo: target + size))
  }
}
