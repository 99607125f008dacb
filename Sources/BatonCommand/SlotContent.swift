import KexecRelocation
import LinuxHost
import PhysicalMemory

/// What tells a load from every other: the places that its segments were given, in their order, and how
/// many bytes. Records have it in words, and the kernel's memory shows it.
enum SlotContent {
  static func text(of segments: some Sequence<HandoffPlan.Segment>) -> String {
    text(of: segments.map { ($0.destination, $0.givenSize) })
  }

  private static func text(of segments: [(destination: PhysicalRange, size: UInt64)]) -> String {
    var text = ""
    for segment in segments {
      text +=
        (text.isEmpty ? "" : " ") + segment.destination.text + "=" + String(segment.size)
    }
    return text
  }

  /// That of what a slot holds now, empty where it holds nothing, nil where the kernel does not show it.
  static func shown<System: LinuxSystem>(in slot: KexecSlot, _ system: System) -> String? {
    guard KernelFlags.isLoaded(slot, system) else { return "" }
    return system.loadedImage(in: slot).map { image in
      text(of: image.segments.map { ($0.destination, $0.size) })
    }
  }
}

/// What one load gives the two slots: places in words, empty for nothing, nil for what nobody knows.
struct LoadedPlaces {
  let normal: String?
  let crash: String?

  static var nothing: LoadedPlaces { LoadedPlaces(normal: "", crash: "") }
  /// Of `kexec_file_load(2)`, before the kernel has chosen.
  static var chosenByKernel: LoadedPlaces { LoadedPlaces(normal: nil, crash: "") }

  init(normal: String?, crash: String?) {
    self.normal = normal
    self.crash = crash
  }

  init(_ plan: HandoffPlan) {
    normal = SlotContent.text(of: plan.segments.filter { $0.slot == .normal })
    crash = SlotContent.text(of: plan.segments.filter { $0.slot == .crash })
  }

  subscript(slot: KexecSlot) -> String? { slot == .normal ? normal : crash }
}

extension JSONRecord {
  /// Of a record of either slot: the loads that it tells of. An intent tells of the one that was to come,
  /// of the one that was there, and of what lay in the crash slot and nothing needed.
  private var loads: [LoadedPlaces] {
    let own = LoadedPlaces(normal: string("normalRanges"), crash: string("crashRanges"))
    guard isIntent else { return [own] }
    return [
      own, LoadedPlaces(normal: string("olderNormalRanges"), crash: string("olderCrashRanges")),
      LoadedPlaces(normal: "", crash: string("leftCrashRanges")),
    ]
  }

  /// Whether a slot that is loaded still holds what this record says that it was given, or nil where
  /// nothing tells: the kernel does not show what it holds, or placed it itself.
  func describes<System: LinuxSystem>(_ slot: KexecSlot, _ system: System) -> Bool? {
    let recorded = loads.map { $0[slot] }
    // Something is there, and none of these loads has put it there.
    if recorded.allSatisfy({ $0 == "" }) { return false }
    guard recorded.contains(where: { $0 != nil }),
      let shown = SlotContent.shown(in: slot, system)
    else { return nil }
    if recorded.contains(shown) { return true }
    return recorded.contains(nil) ? nil : false
  }

  /// Of an intent, while the normal slot holds what it says: the load of which all is there that it
  /// needs.
  func wholeLoad<System: LinuxSystem>(_ system: System) -> LoadedPlaces? {
    guard let normal = SlotContent.shown(in: .normal, system), normal != "" else { return nil }
    let crash = SlotContent.shown(in: .crash, system)
    return loads.first { $0.normal == normal && ($0.crash == "" || $0.crash == crash) }
  }

  /// Of an intent, while the normal slot is loaded: whether what that holds needs something in the crash
  /// slot that is not there, whichever of the intent's loads it is. That the crash slot is empty every
  /// kernel tells.
  func isTorn<System: LinuxSystem>(_ system: System) -> Bool {
    guard let crash = SlotContent.shown(in: .crash, system) else { return false }
    let normal = SlotContent.shown(in: .normal, system)
    var possible = loads.filter { $0.normal != "" }
    if let normal { possible.removeAll { $0.normal != nil && $0.normal != normal } }
    return !possible.isEmpty
      && possible.allSatisfy { $0.crash != nil && $0.crash != "" && $0.crash != crash }
  }
}
