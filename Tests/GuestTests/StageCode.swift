import Lab
import PhysicalMemory

/// Which of the stage's instructions are executed when, from the plugin's log of a run.
struct StageCode {
  /// Addresses of instructions executed before the MMU goes on: up to then the stage checks
  /// itself, and cannot survive being changed.
  var beforeTranslation: Set<UInt64> = []
  /// Addresses of instructions executed later.
  var afterTranslation: Set<UInt64> = []

  init(_ log: EventLog) {
    var isOn = false
    for event in log.events {
      if event.switchesTranslation == .on { isOn = true }
      if event.kind == .kernelEntry { return }
      guard case .stageCode(let size) = event.kind else { continue }
      for address in stride(from: event.pc, to: event.pc + size, by: 4) {
        if isOn { afterTranslation.insert(address) } else { beforeTranslation.insert(address) }
      }
    }
  }
}
