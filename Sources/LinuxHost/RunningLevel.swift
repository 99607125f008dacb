/// The exception level at which the running kernel runs, and with it the level and regime in which
/// `kexec` enters what it starts.
public enum RunningLevel: Sendable, Hashable {
  /// Booted at EL1.
  case el1
  /// Booted at EL2 without VHE: runs at EL1, leaves through its stub at EL2.
  case el2
  /// Runs at EL2 (VHE).
  case el2Host
  /// Nothing tells.
  case unknown

  /// The timers' interrupt numbers, as the interrupt controller counts them.
  public struct TimerInterrupts: Sendable, Hashable {
    public var virtual: UInt64
    public var nonSecurePhysical: UInt64
    public var hypervisorPhysical: UInt64
    /// Nil where the firmware describes none.
    public var hypervisorVirtual: UInt64?

    public init(
      virtual: UInt64, nonSecurePhysical: UInt64, hypervisorPhysical: UInt64,
      hypervisorVirtual: UInt64? = nil
    ) {
      self.virtual = virtual
      self.nonSecurePhysical = nonSecurePhysical
      self.hypervisorPhysical = hypervisorPhysical
      self.hypervisorVirtual = hypervisorVirtual
    }

    /// Those of the Arm Base System Architecture (Arm DEN 0094), which most firmware follows.
    public static var baseSystemArchitecture: TimerInterrupts {
      TimerInterrupts(
        virtual: 27, nonSecurePhysical: 30, hypervisorPhysical: 26, hypervisorVirtual: 28)
    }
  }

  /// Finds the level from /proc/interrupts.
  ///
  /// A program cannot read CurrentEL, but the kernel's choice of timer gives it away
  /// (drivers/clocksource/arm_arch_timer.c): the virtual timer at EL1, the non-secure physical one
  /// where it was booted at EL2, one of the hypervisor's where it runs there. Where none of `timers`
  /// stands, the level is unknown.
  ///
  /// ```
  ///            CPU0       CPU1
  ///  11:       2613       1891     GICv3  30 Level     arch_timer
  /// ```
  public init(
    interrupts text: [UInt8], timers: TimerInterrupts = .baseSystemArchitecture
  ) {
    self = .unknown
    for line in TextLines(text) {
      let words = line.words
      guard let name = words.last, name.equals("arch_timer"), words.count >= 4 else { continue }
      // From the right: name, trigger, hardware number, controller. Older kernels print no
      // trigger.
      for word in words.dropLast().suffix(2).reversed() {
        guard let number = word.number(radix: 10) else { continue }
        switch number {
        case timers.virtual: self = .el1
        case timers.nonSecurePhysical: self = .el2
        case timers.hypervisorPhysical: self = .el2Host
        case let other where other == timers.hypervisorVirtual: self = .el2Host
        default: continue
        }
        return
      }
    }
  }
}
