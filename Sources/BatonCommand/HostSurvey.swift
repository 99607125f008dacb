import BootFormats
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// What `--check` finds out: what this machine is, and what stands in the way of a load.
struct HostSurvey {
  let release: String?
  let level: RunningLevel
  let pageSize: UInt64
  let onlineCPUs: Int?
  let hasSHA256Instructions: Bool
  let lifeline: Lifeline
  /// The mode in force, nil where the kernel has no lockdown.
  let lockdown: String?
  let isLoadDisabled: Bool
  /// Calls that the kernel still takes in this boot; nil where it sets no limit.
  let loadsLeft: UInt64?
  let crashKernel: [PhysicalRange]
  /// Why `--load` would fail here; the first is the one that it would give.
  private(set) var obstacles: [BatonError]
  /// What will work less well.
  private(set) var warnings: [String] = []

  init<System: LinuxSystem>(_ system: System) {
    release = KernelFlags.line("/proc/sys/kernel/osrelease", system)
    pageSize = system.pageSize
    onlineCPUs = system.onlineCPUCount
    hasSHA256Instructions = system.hasSHA256Instructions
    lockdown = KernelFlags.lockdownMode(system)
    isLoadDisabled = KernelFlags.isSet("/proc/sys/kernel/kexec_load_disabled", system)
    loadsLeft = KernelFlags.loadsLeft(.normal, system)
    obstacles = LoadPermission.obstacles(byFile: true, system)
    do throws(BatonError) {
      let machine = try Machine(system, nextTree: nil, haltsOnFailure: false, console: nil)
      level = machine.level
      lifeline = machine.lifeline
      crashKernel = machine.memory.crashKernelReservations
      warnings = machine.warnings
      if machine.tree == nil { obstacles.append(.file(Machine.treePath, .noSuchFile)) }
      if let cpu = Suitability.stayingCPU(machine.tree, system) {
        obstacles.append(.cpuStays(cpu.name, possible: cpu.possible))
      } else if let error = Suitability.missingFirmware(machine, system) {
        obstacles.append(error)
      }
    } catch {
      level = Machine.level(system, timers: nil)
      lifeline = Lifeline(console: .none, conduit: .none, haltsOnFailure: false)
      crashKernel = []
      // Who is not root reads neither memory map nor tree: that is one obstacle, not two.
      if system.isRoot { obstacles.append(error) }
    }
    for watchdog in Watchdog.running(system) { warnings.append(watchdog.sentence) }
    if KernelFlags.isLockedDown(system) {
      warnings.append(
        "this kernel is locked down: it loads signed images only, and nothing is verified between "
          + "the kernels (--via=file)")
    }
    if let release, Self.relocatesUncached(release) {
      warnings.append(
        "kernels before 5.16 move what was loaded with the caches off: large initrds take seconds")
    }
  }

  /// Whether the release is one before 5.16, which brought arm64's relocation with the MMU on.
  static func relocatesUncached(_ release: String) -> Bool {
    KernelFlags.isRelease(release, before: (5, 16)) ?? false
  }
}
