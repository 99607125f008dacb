import KexecRelocation
import LinuxHost
import PhysicalMemory

/// What tells a load from every other: the places that its segments were given, in their order. Records
/// have it in words, and the kernel's memory shows it.
enum SlotContent {
  static func text(of segments: some Sequence<HandoffPlan.Segment>) -> String {
    text(of: segments.map { $0.destination })
  }

  fileprivate static func text(of destinations: [PhysicalRange]) -> String {
    var text = ""
    for range in destinations { text += (text.isEmpty ? "" : " ") + range.text }
    return text
  }
}

extension JSONRecord {
  /// Whether a slot that is loaded still holds what this record says that it was given, or nil where
  /// nothing tells: the kernel does not show what it holds, or placed it itself.
  func describes<System: LinuxSystem>(_ slot: KexecSlot, _ system: System) -> Bool? {
    guard let recorded = string(slot == .normal ? "normalRanges" : "crashRanges"),
      let image = system.loadedImage(in: slot)
    else { return nil }
    return SlotContent.text(of: image.destinations) == recorded
  }
}
