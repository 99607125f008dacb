import ArmTranslation
import BareMetal
import CBareMetal
import CBatonArm64
import KexecRelocation

/// The rest of the stage, MMU and caches on: moves what has to be moved, verifies, says so on one
/// line and leaves.
@c(stage_execute)
@used
func stageExecute(context: UnsafeMutablePointer<baton_stage_context>) -> Never {
  Processor.enableSIMD()
  let lifeline = findLifeline()
  do throws(StageFailure) {
    let block: HandoffBlockView
    do throws(HandoffBlockView.Refusal) { block = try loadedHandoff().block() } catch {
      throw .block(error)
    }
    let engine = RelocationEngine(block: block)
    let moved = engine.moveExtents()
    let verified: UInt64
    do throws(PieceMismatch) { verified = try engine.verifyPieces() } catch {
      throw .mismatch(error, pieces: block.pieceCount)
    }
    Report(lifeline).departure(
      level: Processor.regime.levelName, moved: moved, verified: verified,
      pieces: block.pieceCount, entry: block.header.entry)
    // Sound: the context lies on the stack of entry.S, below every frame that was used since.
    unsafe baton_leave(&context.pointee.departure)
  } catch {
    Report(lifeline).fail(error)
  }
}
