import BareMetal
import CBareMetal
import CBatonArm64
import PhysicalMemory

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
  /// - Parameter place: as large as the record; in the next kernel's device tree, which has been
  ///   verified.
  func write(to place: PhysicalRange) {
    guard let target = unsafe UnsafeMutableRawPointer(bitPattern: UInt(place.start.rawValue))
    else { return }
    // Sound: the record has no padding and is whole words of four bytes, as aligned as its place
    // is; the loader mapped the device tree as data.
    unsafe withUnsafeBytes(of: self) { bytes in
      for offset in stride(from: 0, to: bytes.count, by: 4) {
        unsafe target.storeBytes(
          of: bytes.load(fromByteOffset: offset, as: UInt32.self), toByteOffset: offset,
          as: UInt32.self)
      }
    }
    baton_clean_to_poc(place.start.rawValue, place.end.rawValue)
  }
}
