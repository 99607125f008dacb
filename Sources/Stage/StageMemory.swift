import CBareMetal
import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// The block behind the stage, its layout checked.
func blockView() throws(HandoffBlockView.Refusal) -> HandoffBlockView {
  let address = baton_stage_block()
  guard let pointer = unsafe UnsafeRawPointer(bitPattern: UInt(address)) else {
    throw .wrongAddress(address)
  }
  // Sound: the linker script puts the block's address on a page boundary behind the stage, and the
  // loader reserved the memory from there on.
  return try unsafe HandoffBlockView(at: pointer, address: PhysicalAddress(address))
}

/// The stage's own copy of the lifeline, or where that one is damaged, the block's. With both
/// damaged there is no console; from EL2 the conduit can only be SMC.
func findLifeline() -> Lifeline {
  // Sound: the linker script puts the header at the base, and both loads are of memory that the
  // loader reserved for the stage.
  if let header = unsafe UnsafeRawPointer(bitPattern: UInt(baton_stage_base())),
    let own = Lifeline(unsafe header.load(as: baton_stage_header.self).lifeline)
  {
    return own
  }
  if let block = unsafe UnsafeRawPointer(bitPattern: UInt(baton_stage_block())),
    let other = Lifeline(unsafe block.load(as: baton_handoff_block.self).lifeline)
  {
    return other
  }
  return Lifeline(
    console: .none, conduit: baton_read_current_el() >> 2 == 2 ? .smc : .none)
}
