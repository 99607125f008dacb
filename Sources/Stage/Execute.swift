import ArmTranslation
import BareMetal
import CBareMetal
import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// The rest of the stage, MMU and caches on: moves what has to be moved, verifies, says so on one
/// line, leaves its record and goes.
@c(stage_execute)
@used
func stageExecute(context: UnsafeMutablePointer<baton_stage_context>) -> Never {
  let translationOn = Processor.counter
  Processor.enableSIMD()
  let lifeline = findLifeline()
  do throws(StageFailure) {
    let block: HandoffBlockView
    let place: PhysicalRange?
    do throws(HandoffBlockView.Refusal) {
      block = try loadedHandoff().block()
      place = try block.record()
    } catch {
      throw .block(error)
    }
    // Sound, here and below: the context lies on the stack of entry.S, below every frame that was
    // used since.
    var record = baton_handoff_record(
      entered: unsafe context.pointee.entered, plan: block.header.checksum)
    record.translation_on = translationOn
    let engine = RelocationEngine(block: block)
    record.bytes_moved = engine.moveExtents()
    record.moved = Processor.counter
    do throws(PieceMismatch) { record.bytes_verified = try engine.verifyPieces() } catch {
      throw .mismatch(error, pieces: block.pieceCount)
    }
    record.verified = Processor.counter
    guard
      unsafe context.pointee.reservations.write(toTreeAt: block.header.arguments.0)
    else { throw .noRoomForReservations }
    Report(lifeline).departure(
      level: Processor.regime.levelName, moved: record.bytes_moved,
      verified: record.bytes_verified, pieces: block.pieceCount, entry: block.header.entry)
    if let place {
      record.left = Processor.counter
      record.write(to: place)
    }
    unsafe baton_leave(&context.pointee.departure)
  } catch {
    Report(lifeline).fail(error)
  }
}
