import BareMetal
import CRelay
import PhysicalMemory
import RelayLoading

/// The page of code that is there when relay is not (CRelay's control.S).
enum ControlPage {
  /// Puts the code at `address` with `slots` in front, and cleans it: it runs with the caches off.
  static func write(_ slots: relay_control_slots, at address: PhysicalAddress) {
    relay_copy(address.rawValue, relay_control_page(), 4096)
    // Sound: the page is relay's own, and begins with the slots.
    unsafe UnsafeMutablePointer<relay_control_slots>(bitPattern: UInt(address.rawValue))
      .unsafelyUnwrapped.pointee = slots
    BareMemory().clean(PhysicalRange(address, upTo: address + 4096))
  }
}

extension relay_control_slots {
  /// - Parameter entry: where the next program is entered, at EL2.
  init(for load: RelayLoad, entry: PhysicalAddress) {
    self.init()
    stage = load.stageEntry.rawValue
    self.entry = entry.rawValue
  }
}
