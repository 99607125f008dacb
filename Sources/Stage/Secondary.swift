import BareMetal
import CBareMetal
import KexecRelocation

/// The stage on another CPU, from secondary.S, MMU and caches on.
@c(stage_secondary)
@used
func stageSecondary(stackTop: UInt64) -> Never {
  do throws(HandoffBlockView.Refusal) {
    SecondaryProcessor.run(try loadedHandoff().block(), stackTop: stackTop)
  } catch {
    baton_claim_report()
    Report(findLifeline()).fail(.block(error))
  }
}
