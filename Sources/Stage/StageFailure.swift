import ArmTranslation
import BareMetal
import KexecRelocation

/// Why the stage does not start the next kernel.
enum StageFailure: Error {
  case block(HandoffBlockView.Refusal)
  case noSuchGranule(shift: UInt32)
  case regimeNotPrepared(StaticString)
  case translation(TranslationFault)
  case lpisStuck(LocalityInterrupts.Stuck)
  case noRoomForReservations
  case mismatch(PieceMismatch, pieces: Int)
}
