import ArmTranslation
import CBareMetal
import CBatonArm64
import KexecRelocation

/// The other CPUs, for as long as they share the stage's work.
public struct SecondaryProcessors {
  /// A CPU that firmware has switched on and that is not off again, or that left work undone: it
  /// could wake up in memory that the next kernel owns.
  public struct Stuck: Error {
    /// Its affinity (MPIDR_EL1).
    public let processor: UInt64
  }

  /// How long all of them may take for a run of the work, or to go off, in milliseconds: a hundred
  /// times what a slow CPU takes for a megabyte.
  private static var patience: UInt64 { 10_000 }

  private let block: HandoffBlockView
  private let conduit: Lifeline.Conduit
  /// Bit n: `block.processor(n)` was switched on.
  private var started: UInt64 = 0
  /// How many were switched on.
  public private(set) var count = 0

  /// Switches on what `block` lists but this CPU. Where firmware refuses, there is one less.
  ///
  /// - Parameters:
  ///   - regime: what this CPU has switched its translation on with.
  ///   - departure: this CPU's.
  public init(
    starting block: HandoffBlockView, conduit: Lifeline.Conduit, regime: baton_regime_registers,
    departure: baton_departure
  ) {
    self.block = block
    self.conduit = conduit
    let slots = UInt64(block.processorCount)
    guard conduit != .none, slots > 1 else { return }
    let own = baton_read_mpidr_el1() & MPIDR_EL1.affinity
    // Where firmware cannot say that this one is on, it could not say either when another is off.
    guard Self.affinityInfo(own, conduit) == 0 else { return }
    let slot = block.header.stacks_size / slots
    Self.share(regime, departure, conduit, stackSize: slot / 2)
    for index in 0..<block.processorCount where count < block.processorCount - 1 {
      let processor = block.processor(index)
      guard processor != own else { continue }
      let status = Firmware.call(
        UInt64(BATON_PSCI_CPU_ON), processor, baton_secondary_entry_address(),
        block.header.stacks &+ slot &* (UInt64(index) &+ 1), through: conduit)
      guard status == 0 else { continue }
      started |= 1 << UInt64(index)
      count += 1
    }
  }

  /// Puts what a CPU needs before its MMU is on where it finds it in memory.
  private static func share(
    _ regime: baton_regime_registers, _ departure: baton_departure, _ conduit: Lifeline.Conduit,
    stackSize: UInt64
  ) {
    let work = unsafe baton_stage_shared_work()
    var departure = departure
    departure.entry =
      Firmware.usesHVC(conduit) ? baton_last_hvc_address() : baton_last_smc_address()
    departure.arguments = (UInt64(BATON_PSCI_CPU_OFF), 0, 0, 0)
    // What goes wrong on its way out is still reported.
    departure.vbar = baton_stage_vectors()
    let isEL2 = Processor.regime != .el1
    // Sound: the linker script's memory, and no other CPU runs.
    unsafe work.pointee.departure = departure
    unsafe work.pointee.stack_size = stackSize
    unsafe work.pointee.regime = regime
    unsafe work.pointee.level = baton_read_current_el()
    unsafe work.pointee.hcr = isEL2 ? baton_read_hcr_el2() : 0
    unsafe work.pointee.feature_control = isEL2 ? baton_read_cptr_el2() : baton_read_cpacr_el1()
    unsafe work.pointee.conduit = UInt64(conduit.encodedValue)
    let start = UInt64(UInt(bitPattern: work))
    baton_clean_to_poc(start, start &+ UInt64(STAGE_SHARED_WORK_SIZE))
    baton_complete_cleaning()
  }

  /// Waits until all CPUs have moved so many bytes.
  public func wait(until engine: RelocationEngine, hasMoved bytes: UInt64) throws(Stuck) {
    // Each look takes some nanoseconds.
    var deadline = Deadline(milliseconds: Self.patience, looks: 1 << 33)
    while !engine.hasMoved(bytes) {
      baton_pause()
      if deadline.hasPassed() { throw someone }
    }
  }

  /// Waits until firmware says of each that it is off.
  public func waitUntilOff() throws(Stuck) {
    // Each look is a call of firmware's, which takes most of a microsecond.
    var deadline = Deadline(milliseconds: Self.patience, looks: 1 << 26)
    for index in 0..<block.processorCount where started >> UInt64(index) & 1 != 0 {
      let processor = block.processor(index)
      while Self.affinityInfo(processor, conduit) != 1 {
        baton_pause()
        if deadline.hasPassed() { throw Stuck(processor: processor) }
      }
    }
  }

  /// PSCI's AFFINITY_INFO of a CPU: 0 where it is on, 1 off, 2 on its way on; else an error.
  private static func affinityInfo(_ processor: UInt64, _ conduit: Lifeline.Conduit) -> UInt64 {
    Firmware.call(UInt64(BATON_PSCI_AFFINITY_INFO), processor, 0, 0, through: conduit)
  }

  /// One of them, where it cannot be told which left work undone.
  public var someone: Stuck { Stuck(processor: block.processor(started.trailingZeroBitCount)) }
}

/// What a CPU that was switched on by `SecondaryProcessors` does.
public enum SecondaryProcessor {
  /// Takes its share of the work and switches this CPU off.
  ///
  /// - Parameter stackTop: of this CPU.
  public static func run(_ block: HandoffBlockView, stackTop: UInt64) -> Never {
    let engine = RelocationEngine(block: block)
    let moved = engine.moveExtents()
    // The CPU that entered the stage bounds this wait, by a reset.
    while !engine.hasMoved(moved) { baton_pause() }
    engine.verifyPieces()
    let work = unsafe baton_stage_shared_work()
    // Sound: written before this CPU was started.
    var departure = unsafe work.pointee.departure
    unsafe departure.writable_start = stackTop &- work.pointee.stack_size
    departure.writable_end = stackTop
    unsafe baton_leave(&departure)
  }
}
