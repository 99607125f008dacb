import ArmTranslation
import BareMetal
import CBareMetal
import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// The rest of the stage, MMU and caches on: moves what has to be moved and verifies, with the other
/// CPUs' help, says so on one line, leaves its record and goes.
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
    let isMovedUncached = block.header.strategy == UInt32(BATON_STRATEGY_UNCACHED)
    let engine = RelocationEngine(block: block)
    let secondaries = unsafe SecondaryProcessors(
      starting: block, conduit: lifeline.conduit, regime: context.pointee.regime,
      departure: context.pointee.departure)
    do throws(SecondaryProcessors.Stuck) {
      if isMovedUncached {
        record.translation_on = unsafe context.pointee.move_started
        record.bytes_moved = unsafe context.pointee.bytes_moved
        record.moved = unsafe context.pointee.moved
      } else {
        record.bytes_moved = engine.moveExtents()
        try secondaries.wait(until: engine, hasMoved: record.bytes_moved)
        record.moved = Processor.counter
      }
      engine.verifyPieces()
      if engine.mismatch == nil { try secondaries.waitUntilOff() }
    } catch {
      throw .processorStuck(error)
    }
    if let index = engine.mismatch {
      throw .mismatch(block.piece(index), index: index, pieces: block.pieceCount)
    }
    record.bytes_verified = engine.verifiedBytes
    guard record.bytes_verified == block.pieceBytes else {
      throw .processorStuck(secondaries.someone)
    }
    let header = block.header
    if header.kernel_loaded_size < header.kernel_memory_size {
      let kernel = header.kernel &+ header.destination_offset
      baton_clean_to_poc(
        kernel &+ header.kernel_loaded_size, kernel &+ header.kernel_memory_size)
    }
    record.verified = Processor.counter
    guard
      unsafe LocalityInterrupts.reserve(
        &context.pointee.reservations,
        inTreeAt: block.header.arguments.0 &+ block.header.destination_offset)
    else { throw .noRoomForReservations }
    Report(lifeline).departure(
      level: Processor.regime.levelName, isMovedUncached: isMovedUncached,
      moved: record.bytes_moved,
      verified: record.bytes_verified, pieces: block.pieceCount, processors: secondaries.count + 1,
      entry: block.header.entry)
    if let place {
      record.left = Processor.counter
      record.write(at: place.start.rawValue &+ block.header.destination_offset)
    }
    unsafe baton_leave(&context.pointee.departure)
  } catch {
    baton_claim_report()
    Report(lifeline).fail(error)
  }
}
