import ArmTranslation
import BareMetal
import CBareMetal
import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// The first Swift of the stage, MMU and caches off: holds the block against what lies in memory
/// and fills in what the rest needs. Returns only where everything is as it was loaded.
///
/// - Parameters:
///   - base: where the stage lies.
///   - vbar: the vector base that was found.
@c(stage_prepare)
@used
func stagePrepare(
  base: UInt64, vbar: UInt64, context: UnsafeMutablePointer<baton_stage_context>
) {
  let lifeline = findLifeline()
  Firmware.remember(lifeline.conduit)
  do throws(StageFailure) {
    let header = try checkedBlock(base: base).header
    // Sound: entry.S reserved the context on its stack.
    unsafe context.pointee = baton_stage_context(
      regime: try registers(for: header, at: Processor.regime),
      departure: baton_departure(entry: header.entry, arguments: header.arguments, vbar: vbar))
  } catch {
    Report(lifeline).fail(error)
  }
}

/// The registers that switch this level's translation on.
private func registers(
  for header: baton_handoff_block, at regime: TranslationRegime
) throws(StageFailure) -> baton_regime_registers {
  guard Processor.hasGranule(shift: header.granule_shift) else {
    throw .noSuchGranule(shift: header.granule_shift)
  }
  let translation = regime == .el2 ? header.el2_layout : header.el1_layout
  guard translation.root != 0 else { throw .regimeNotPrepared(regime.levelName) }
  return baton_regime_registers(
    ttbr0: translation.root,
    tcr: regime.tcr(translation.tcr, mmfr0: baton_read_id_aa64mmfr0_el1()),
    mair: translation.mair, sctlr: regime.translationOnSCTLR)
}

/// The block behind the stage, its layout and its checksum checked.
private func checkedBlock(base: UInt64) throws(StageFailure) -> HandoffBlockView {
  do throws(HandoffBlockView.Refusal) {
    let block = try blockView()
    guard let stage = unsafe UnsafeRawPointer(bitPattern: UInt(base)) else {
      throw .wrongAddress(base)
    }
    // Sound: the loader reserved the stage's sections and what lies behind them up to the end of
    // the tables, whose range the view has bounded; all of it is readable memory.
    let sections = unsafe stage.load(as: baton_stage_header.self)
    try unsafe block.check(
      code: Span(_unsafeElements: words(of: sections.code, from: base)),
      constants: Span(_unsafeElements: words(of: sections.constants, from: base)),
      tables: Span(
        _unsafeElements: words(at: block.header.tables, size: block.header.table_size)))
    return block
  } catch {
    throw .block(error)
  }
}

/// A section's content in memory. The header that says where it is has not been checked yet: what
/// it says is cut to what the linker script allows, and a wrong size fails the checksum.
private func words(
  of section: baton_stage_section, from base: UInt64
) -> UnsafeBufferPointer<UInt64> {
  let stride = UInt32(STAGE_SECTION_STRIDE)
  return unsafe words(
    at: base &+ UInt64(section.memory_offset & (3 * stride)),
    size: UInt64(min(section.file_size, stride)))
}

/// Memory by its physical address, the MMU being off; `size` is cut to whole words.
///
/// Sound where `address` is 8-byte aligned and as much memory can be read from there.
private func words(at address: UInt64, size: UInt64) -> UnsafeBufferPointer<UInt64> {
  unsafe UnsafeBufferPointer(
    start: UnsafePointer(bitPattern: UInt(address)), count: Int(size / 8))
}
