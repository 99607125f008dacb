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
      switch event.kind {
      case .sctlr(_, let value) where value & 1 == 1: isOn = true
      case .kernelEntry: return
      case .stageCode(let size):
        for address in stride(from: event.pc, to: event.pc + size, by: 4) {
          if isOn { afterTranslation.insert(address) } else { beforeTranslation.insert(address) }
        }
      default: break
      }
    }
  }
}
