import CBatonArm64
import LinuxHost

/// What the stage left in the tree of the kernel that it started (`struct baton_handoff_record`).
struct HandoffRecord {
  static let property = "baton,handoff-record"
  static let path = "/sys/firmware/devicetree/base/chosen/" + property
  static var size: Int { MemoryLayout<baton_handoff_record>.size }

  /// The counter per second.
  let frequency: UInt64
  /// The counter at the stage's entry, with its MMU on, with everything moved, with everything
  /// verified, and at its exit.
  let entered: UInt64
  let translationOn: UInt64
  let moved: UInt64
  let verified: UInt64
  let left: UInt64
  let bytesMoved: UInt64
  let bytesVerified: UInt64
  let planDigest: UInt64

  /// The running kernel's, nil where there is none or it was never written.
  init?<System: LinuxSystem>(_ system: System) {
    let bytes: [UInt8]
    do throws(Errno) { bytes = try system.read(Self.path) } catch { return nil }
    guard bytes.count == Self.size else { return nil }
    func word(_ index: Int) -> UInt64 {
      var value: UInt64 = 0
      for byte in bytes[8 * index..<8 * index + 8].reversed() { value = value << 8 | UInt64(byte) }
      return value
    }
    // Version and size share a word.
    guard word(0) == BATON_RECORD_MAGIC,
      word(1) == UInt64(BATON_RECORD_VERSION) | UInt64(Self.size) << 32, word(2) > 0
    else { return nil }
    frequency = word(2)
    entered = word(3)
    translationOn = word(4)
    moved = word(5)
    verified = word(6)
    left = word(7)
    bytesMoved = word(8)
    bytesVerified = word(9)
    planDigest = word(10)
  }

  /// Microseconds between two values of the counter, nil where the later is not later.
  func microseconds(from start: UInt64?, to end: UInt64) -> UInt64? {
    guard let start, end >= start else { return nil }
    let (quotient, overflow) = (end - start).multipliedReportingOverflow(by: 1_000_000)
    return overflow ? nil : quotient / frequency
  }
}
