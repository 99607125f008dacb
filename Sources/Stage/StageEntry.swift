import BareMetal
import CBareMetal
import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// From entry.S: `base` is where the stage lies, `vbar` the vector base that was found.
@c(stage_main)
@used
func stageMain(base: UInt64, vbar: UInt64) -> Never {
  let lifeline = findLifeline()
  Firmware.remember(lifeline.conduit)
  let processor = ProcessorState(vbar: vbar)
  do throws(StageFailure) {
    try Stage.run(block: checkedBlock(base: base), processor: processor, lifeline: lifeline)
  } catch {
    Report(lifeline).fail(error)
  }
}

/// From exceptions.S, on a stack of its own. Whatever happened, memory beyond the lifeline is not
/// looked at.
@c(stage_exception)
@used
func stageException(vector: UInt64, syndrome: UInt64, link: UInt64, fault: UInt64) -> Never {
  Report(findLifeline()).exception(
    vector: vector, syndrome: syndrome, link: link, fault: fault)
}

/// The stage's own copy of the lifeline, or where that one is damaged, the block's. With both
/// damaged there is no console; at EL2 the conduit can only be SMC.
private func findLifeline() -> Lifeline {
  let header = unsafe UnsafeRawPointer(bitPattern: UInt(baton_stage_base()))
  let block = unsafe UnsafeRawPointer(bitPattern: UInt(baton_stage_block()))
  // Sound: the linker script puts the header at the base, and every load is of memory that the
  // loader reserved for the stage.
  if let header = unsafe header,
    let own = Lifeline(unsafe header.load(as: baton_stage_header.self).lifeline)
  {
    return own
  }
  if let block = unsafe block,
    let other = Lifeline(unsafe block.load(as: baton_handoff_block.self).lifeline)
  {
    return other
  }
  return Lifeline(
    console: .none, conduit: baton_read_current_el() >> 2 == 2 ? .smc : .none)
}

/// The block behind the stage, its layout and its checksum checked.
private func checkedBlock(base: UInt64) throws(StageFailure) -> HandoffBlockView {
  let address = baton_stage_block()
  guard let pointer = unsafe UnsafeRawPointer(bitPattern: UInt(address)),
    let stage = unsafe UnsafeRawPointer(bitPattern: UInt(base))
  else { throw .block(.wrongAddress(address)) }
  do throws(HandoffBlockView.Refusal) {
    // Sound: the loader reserved the stride after the block's address and the stage's sections,
    // whose sizes the linker wrote into the header; the tables' range was bounded by the view.
    let block = try unsafe HandoffBlockView(at: pointer, address: PhysicalAddress(address))
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

/// Memory by its physical address, MMU off or identity-mapped; `size` is cut to whole words.
private func words(at address: UInt64, size: UInt64) -> UnsafeBufferPointer<UInt64> {
  unsafe UnsafeBufferPointer(
    start: UnsafePointer(bitPattern: UInt(address)), count: Int(size / 8))
}
