import BareMetal
import KexecRelocation

/// From entry.S: the running kernel panicked while a staged image lay in the crash region. It must
/// not start as if it were a dump kernel.
@c(stage_guard)
@used
func stageGuard() -> Never {
  let lifeline = findLifeline()
  Firmware.remember(lifeline.conduit)
  Report(lifeline).panicked()
}
