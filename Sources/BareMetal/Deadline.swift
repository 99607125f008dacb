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
    return looks > limitOfLooks || (limit != 0 && isLate && isLate)
  }

  /// By one reading. A single one can be wrong by a little or by a lot, backwards, too: Cortex-A73
  /// erratum 858921, Freescale A-008585, HiSilicon 161010101. Of the many that a wait takes one is likely
  /// to be; the start is one alone, and is trusted.
  private var isLate: Bool {
    Int64(bitPattern: baton_read_cntvct_el0() &- start) > Int64(bitPattern: limit)
  }
}
