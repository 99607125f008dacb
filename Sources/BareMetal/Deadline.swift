import CBareMetal

/// The end of a wait, by the architectural counter, and a number of looks that takes at least as
/// long where firmware has not said how fast that counter runs.
struct Deadline {
  private let limit: UInt64
  private let start: UInt64
  private var looks: UInt64 = 0
  private let limitOfLooks: UInt64

  /// - Parameter looks: those at a device take longest.
  init(milliseconds: UInt64, looks: UInt64 = 1 << 20) {
    limitOfLooks = looks
    limit = baton_read_cntfrq_el0() / 1000 &* milliseconds
    start = baton_read_cntvct_el0()
  }

  /// Counts a look, and says whether it was one too many.
  mutating func hasPassed() -> Bool {
    looks &+= 1
    return looks > limitOfLooks || (limit != 0 && baton_read_cntvct_el0() &- start > limit)
  }
}
