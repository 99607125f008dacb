import TestSupport

/// The message that the expected values were made from: the 4096 bytes that SeededGenerator gives
/// for seed 1, each of its words least significant byte first.
let message: [UInt8] = {
  var generator = SeededGenerator(seed: 1)
  var bytes: [UInt8] = []
  for _ in 0..<512 {
    let word = generator.next()
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: word >> shift))
    }
  }
  return bytes
}()
