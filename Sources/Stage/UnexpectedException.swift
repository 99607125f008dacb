import BareMetal
import KexecRelocation

/// From exceptions.S, on a stack of its own. Whatever happened, no memory but the lifeline is read.
@c(stage_exception)
@used
func stageException(vector: UInt64, syndrome: UInt64, link: UInt64, fault: UInt64) -> Never {
  let lifeline = findLifeline()
  Firmware.remember(lifeline.conduit)
  Report(lifeline).exception(vector: vector, syndrome: syndrome, link: link, fault: fault)
}
