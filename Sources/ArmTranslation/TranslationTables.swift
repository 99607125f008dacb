/// Stage 1 translation tables for another machine, or for this one later: bytes that are right at
/// given physical addresses (Arm ARM D8, VMSAv8-64).
///
/// `TranslationTables<Building>` takes mappings and has no bytes; `seal(in:)` gives it a place and
/// turns it into `TranslationTables<Sealed>`, which has bytes and takes no mappings.
public struct TranslationTables<State: Sendable>: Sendable {
  var state: State

  init(state: State) {
    self.state = state
  }
}
