import ArmTranslation
import BareMetal
import CBatonArm64
import KexecRelocation

/// Why the stage does not start the next kernel.
enum StageFailure: Error {
  case block(HandoffBlockView.Refusal)
  /// Pages of 2^`shift` bytes, of which the tables are made, or which the next kernel needs.
  case noSuchGranule(shift: UInt32, isKernels: Bool)
  case regimeNotPrepared(StaticString)
  case translation(TranslationFault)
  case lpisStuck(LocalityInterrupts.Stuck)
  case noRoomForReservations
  case mismatch(baton_piece, index: Int, pieces: Int)
  case processorStuck(SecondaryProcessors.Stuck)
}
