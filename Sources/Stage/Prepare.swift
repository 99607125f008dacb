import ArmTranslation
import BareMetal
import CBareMetal
import CBatonArm64
import KexecRelocation

/// The first Swift of the stage, MMU and caches off: holds the block against what lies in memory,
/// walks the tables and fills in what the rest needs. Returns only where everything is as it was
/// loaded, and where the instruction after the switch can be fetched.
///
/// - Parameter vbar: the vector base that was found.
@c(stage_prepare)
@used
func stagePrepare(
  base: UInt64, vbar: UInt64, context: UnsafeMutablePointer<baton_stage_context>
) {
  let entered = Processor.counter
  let lifeline = findLifeline()
  Firmware.remember(lifeline.conduit)
  do throws(StageFailure) {
    let handoff = loadedHandoff()
    let block: HandoffBlockView
    do throws(HandoffBlockView.Refusal) { block = try handoff.checkedBlock() } catch {
      throw .block(error)
    }
    // Where nothing moves, nothing is mapped.
    let isMapped = block.header.strategy != UInt32(BATON_STRATEGY_NONE)
    try requireKernelGranule(block.header)
    var registers = baton_regime_registers()
    if isMapped {
      let regime = Processor.regime
      registers = try mapRegisters(for: block.header, at: regime)
      do throws(TranslationFault) {
        try handoff.requireMapped(
          block, regime: regime, tcr: registers.tcr, mair: registers.mair, ttbr0: registers.ttbr0,
          console: lifeline.console)
      } catch {
        throw .translation(error)
      }
    }
    // As early as possible: each one that comes writes into memory.
    // Sound: entry.S reserved the context on its stack.
    do throws(LocalityInterrupts.Stuck) {
      try unsafe LocalityInterrupts.disable(block, into: &context.pointee.reservations)
    } catch {
      throw .lpisStuck(error)
    }
    RelocationEngine.begin()
    let moveStarted = Processor.counter
    let bytesMoved =
      block.header.strategy == UInt32(BATON_STRATEGY_UNCACHED)
      ? RelocationEngine.moveUncached(block) : 0
    unsafe context.pointee.regime = registers
    unsafe context.pointee.departure = baton_departure(
      entry: block.header.entry, arguments: block.header.arguments, vbar: vbar)
    unsafe context.pointee.entered = entered
    unsafe context.pointee.move_started = moveStarted
    unsafe context.pointee.moved = Processor.counter
    unsafe context.pointee.bytes_moved = bytesMoved
    if !isMapped { try unsafe leaveAtOnce(block, lifeline, context) }
  } catch {
    Report(lifeline).fail(error)
  }
}

/// The way on where nothing has to be moved: MMU and caches stay off.
private func leaveAtOnce(
  _ block: HandoffBlockView, _ lifeline: Lifeline,
  _ context: UnsafeMutablePointer<baton_stage_context>
) throws(StageFailure) -> Never {
  // Sound: in the context, which entry.S reserved.
  guard
    unsafe LocalityInterrupts.reserve(
      &context.pointee.reservations, inTreeAt: block.header.arguments.0)
  else { throw .noRoomForReservations }
  Report(lifeline).departureAtOnce(
    level: Processor.regime.levelName, entry: block.header.entry)
  unsafe baton_leave(&context.pointee.departure)
}

/// A kernel that finds its pages missing stops without a word.
private func requireKernelGranule(_ header: baton_handoff_block) throws(StageFailure) {
  let kernels = header.kernel_granule_shift
  guard kernels == 0 || Processor.hasGranule(shift: kernels) else {
    throw .noSuchGranule(shift: kernels, isKernels: true)
  }
}

/// The registers that switch this level's translation on.
private func mapRegisters(
  for header: baton_handoff_block, at regime: TranslationRegime
) throws(StageFailure) -> baton_regime_registers {
  guard Processor.hasGranule(shift: header.granule_shift) else {
    throw .noSuchGranule(shift: header.granule_shift, isKernels: false)
  }
  let translation = regime == .el2 ? header.el2_layout : header.el1_layout
  guard translation.root != 0 else { throw .regimeNotPrepared(regime.levelName) }
  guard Processor.hasFormat(of: translation.tcr, at: regime) else {
    throw .translation(.control(tcr: translation.tcr))
  }
  return baton_regime_registers(
    ttbr0: translation.root,
    tcr: regime.tcr(translation.tcr, mmfr0: baton_read_id_aa64mmfr0_el1()),
    mair: translation.mair, sctlr: regime.translationOnSCTLR, ttbr1: translation.upper)
}
