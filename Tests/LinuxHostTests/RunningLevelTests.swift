import LinuxHost
import Testing

@Suite struct RunningLevelTests {
  @Test(arguments: [
    (27, RunningLevel.el1), (30, .el2), (26, .el2Host), (29, .unknown), (0, .unknown),
  ])
  func `The timer that the kernel drives tells the level`(
    interrupt: Int, level: RunningLevel
  ) {
    let text = """
                 CPU0       CPU1
       11:       2613       1891     GICv3  \(interrupt) Level     arch_timer
       13:        102          0     GICv3  33 Level     uart-pl011
      IPI0:        45         61       Rescheduling interrupts

      """
    #expect(RunningLevel(interrupts: Array(text.utf8)) == level)
  }

  @Test func `A GICv2's line, one CPU`() {
    let text = """
                 CPU0
        3:       2613     GIC-0  27 Level     arch_timer

      """
    #expect(RunningLevel(interrupts: Array(text.utf8)) == .el1)
  }

  @Test func `A kernel that prints no trigger`() {
    let text = "          CPU0       \n  3:       2613       GIC  30  arch_timer\n"
    #expect(RunningLevel(interrupts: Array(text.utf8)) == .el2)
  }

  @Test func `Counts that look like timer interrupts mislead nobody`() {
    let text = """
                 CPU0       CPU1       CPU2
       11:         27         26         30     GICv3  26 Level     arch_timer

      """
    #expect(RunningLevel(interrupts: Array(text.utf8)) == .el2Host)
  }

  @Test func `KVM's guest timers and memory-mapped timers are others`() {
    let text = """
                 CPU0
        9:          0     GICv3  25 Level     vgic
       11:          0     GICv3  30 Level     kvm guest ptimer
       12:          0     GICv3  27 Level     kvm guest vtimer
       14:          0     GICv3  27 Level     arch_mem_timer
       15:       2613     GICv3  26 Level     arch_timer

      """
    #expect(RunningLevel(interrupts: Array(text.utf8)) == .el2Host)
  }

  @Test(arguments: [
    "", "\n", "arch_timer", "11: arch_timer\n", "   ",
    "GICv3 99999999999999999999 Level arch_timer",
    "           CPU0\n 13:  102  GICv3  33 Level  uart-pl011\n",
  ])
  func `Text without the timer tells nothing`(text: String) {
    #expect(RunningLevel(interrupts: Array(text.utf8)) == .unknown)
  }

  @Test("A machine with timers of other numbers is understood by them")
  func otherNumbers() {
    let text = " 11:       2613     GICv3  23 Level     arch_timer\n"
    let timers = RunningLevel.TimerInterrupts(
      virtual: 20, nonSecurePhysical: 23, hypervisorPhysical: 24)
    #expect(RunningLevel(interrupts: Array(text.utf8), timers: timers) == .el2)
    #expect(RunningLevel(interrupts: Array(text.utf8)) == .unknown)
  }
}
