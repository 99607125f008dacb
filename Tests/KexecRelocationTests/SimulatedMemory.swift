import PhysicalMemory

@testable import KexecRelocation

/// Some of physical memory: named runs of bytes, and nothing between them.
final class SimulatedMemory: ReadableMemory {
  @safe
  private struct Run {
    let name: String
    let range: PhysicalRange
    let words: UnsafeMutableBufferPointer<UInt64>
    let byteCount: Int
  }

  private var runs: [Run] = []

  deinit {
    // Sound: each was allocated by `add`.
    for run in runs { unsafe run.words.deallocate() }
  }

  var count: Int { runs.count }

  func name(_ index: Int) -> String { runs[index].name }

  func byteCount(_ index: Int) -> Int { runs[index].byteCount }

  func add(_ bytes: [UInt8], at start: PhysicalAddress, name: String) {
    let count = (bytes.count + 7) / 8
    let words = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: count)
    unsafe words.initialize(repeating: 0)
    for (index, byte) in bytes.enumerated() {
      unsafe words[index / 8] |= UInt64(byte) << UInt64(8 * (index % 8))
    }
    unsafe runs.append(
      Run(
        name: name, range: PhysicalRange(start, upTo: start + UInt64(bytes.count)),
        words: words, byteCount: bytes.count))
  }

  func pointer(to range: PhysicalRange) -> UnsafeRawPointer? {
    for run in runs where run.range.contains(range) && run.range.contains(range.start) {
      return unsafe UnsafeRawPointer(run.words.baseAddress)?
        .advanced(by: Int(range.start - run.range.start))
    }
    return nil
  }

  func flip(_ bit: Int, of index: Int) {
    unsafe runs[index].words[bit / 64] ^= 1 << UInt64(bit % 64)
  }

  func words(of name: String) -> [UInt64] {
    for run in runs where run.name == name { return unsafe Array(run.words) }
    return []
  }

  func set(_ value: UInt64, word: Int, of name: String) {
    for run in runs where run.name == name { unsafe run.words[word] = value }
  }
}
