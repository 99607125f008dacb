import BareMetal
import CBareMetal
import KexecRelocation
import PhysicalMemory

/// The stage, its block and its tables as they lie in memory.
func loadedHandoff() -> LoadedHandoff<IdentityMemory> {
  // The linker script puts the header at the base and the block's address on a page boundary
  // behind the stage, and the loader reserved the memory from there on.
  LoadedHandoff(
    base: PhysicalAddress(baton_stage_base()), block: PhysicalAddress(baton_stage_block()),
    memory: IdentityMemory())
}

/// The lifeline that was loaded. Where both copies are damaged there is no console; from EL2 the
/// conduit can only be SMC.
func findLifeline() -> Lifeline {
  loadedHandoff().lifeline
    ?? Lifeline(console: .none, conduit: baton_read_current_el() >> 2 == 2 ? .smc : .none)
}
