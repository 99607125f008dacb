import BareMetal
import CBareMetal
import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// The program between two kernels. Entered from assembly (entry.S), MMU and caches off, at the
/// level at which the old kernel leaves.
@main
enum Stage {
  // SwiftPM wants an entry point of its own; the linker drops this one. Code that is entered
  // through `@c` in a file without one would be script mode, whose globals are never set.
  static func main() {}

  /// Everything between entry and jump, in the order of the design: block, translation, extents,
  /// digests, departure.
  static func run(
    block: HandoffBlockView, processor: ProcessorState, lifeline: Lifeline
  ) throws(StageFailure) -> Never {
    let registers = try preparedRegisters(block: block, processor: processor)
    unsafe withUnsafePointer(to: registers) {
      // Sound: the block's checksum covers the tables, and they map this code, the writable
      // section and the block at their own addresses.
      unsafe baton_translation_on(
        $0, baton_stage_writable_start(), baton_stage_writable_end())
    }
    processor.enableSIMD()

    let engine = RelocationEngine(block: block)
    let moved = engine.moveExtents()
    let verified: UInt64
    do throws(RelocationEngine.Mismatch) {
      verified = try engine.verifyPieces()
    } catch {
      throw .mismatch(error, pieces: block.pieceCount)
    }

    Report(lifeline).departure(
      level: processor.levelName, moved: moved, verified: verified, pieces: block.pieceCount,
      entry: block.header.entry)
    var departure = processor.departure(
      entry: block.header.entry, arguments: block.header.arguments)
    // Sound: `departure` lies on the stack, which is mapped until its last field is loaded.
    unsafe baton_leave(&departure)
  }

  /// The registers that switch this level's translation on.
  private static func preparedRegisters(
    block: HandoffBlockView, processor: ProcessorState
  ) throws(StageFailure) -> baton_regime_registers {
    let header = block.header
    guard ProcessorState.hasGranule(shift: header.granule_shift) else {
      throw .noSuchGranule(shift: header.granule_shift)
    }
    let translation = processor.usesEL2Layout ? header.el2_layout : header.el1_layout
    guard translation.root != 0 else { throw .regimeNotPrepared(processor.levelName) }
    return baton_regime_registers(
      ttbr0: translation.root,
      tcr: translation.tcr | ProcessorState.addressSizeEncoding << processor.addressSizeShift,
      mair: translation.mair, sctlr: processor.translationOnSCTLR)
  }
}
