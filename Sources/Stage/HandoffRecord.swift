import BareMetal
import CBareMetal
import CBatonArm64

extension baton_handoff_record {
  /// A record of a stage that was entered when the counter was `entered`.
  init(entered: UInt64, plan: UInt64) {
    self.init()
    magic = BATON_RECORD_MAGIC
    version = UInt32(BATON_RECORD_VERSION)
    size = UInt32(MemoryLayout<baton_handoff_record>.size)
    counter_frequency = Processor.counterFrequency
    plan_digest = plan
    self.entered = entered
  }

  /// Writes the record, MMU and caches on, and cleans it to the point of coherency.
  ///
  /// - Parameter address: where the map shows its place in the next kernel's device tree, which
  ///   has been verified.
  func write(at address: UInt64) {
    guard let target = unsafe UnsafeMutableRawPointer(bitPattern: UInt(address)) else { return }
    // Sound: the record has no padding and is whole words of four bytes, as aligned as its place
    // is; the loader mapped the device tree as data.
    unsafe withUnsafeBytes(of: self) { bytes in
      for offset in stride(from: 0, to: bytes.count, by: 4) {
        unsafe target.storeBytes(
          of: bytes.load(fromByteOffset: offset, as: UInt32.self), toByteOffset: offset,
          as: UInt32.self)
      }
    }
    baton_clean_to_poc(address, address &+ UInt64(MemoryLayout<Self>.size))
  }
}
