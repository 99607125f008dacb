import ArmTranslation
import BootFormats
import HardwareDescription
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// What `--load` has to know about this machine, read once.
struct Machine {
  let memory: SystemMemoryMap
  let granule: Granule
  let level: RunningLevel
  /// The running kernel's device tree; nil where it has none.
  let tree: DeviceTree?
  /// The affinities of the CPUs that ACPI describes; nil where the machine is not described by it.
  let acpiAffinities: [UInt64]?
  let lifeline: Lifeline
  /// Where the stage switches LPIs off.
  let redistributors: [RedistributorRegion]
  /// Sentences about what will work less well here.
  let warnings: [String]

  static let treePath = "/sys/firmware/fdt"

  init<System: LinuxSystem>(
    _ system: System, nextTree: DeviceTree?, haltsOnFailure: Bool,
    console override: ConsoleSpecification?
  ) throws(BatonError) {
    let iomem: [UInt8]
    do throws(Errno) { iomem = try system.read("/proc/iomem") } catch {
      throw .memoryMapUnreadable(error)
    }
    do throws(SystemMemoryMap.Failure) { memory = try SystemMemoryMap(iomem: iomem) } catch {
      throw .memoryMap(error)
    }
    guard let granule = Granule(pageSize: system.pageSize) else {
      throw .pageSize(system.pageSize)
    }
    self.granule = granule
    tree = try Self.runningTree(system)
    level = Self.level(system, timers: Self.timers(tree))

    var warnings: [String] = []
    if level == .unknown {
      warnings.append(
        "/proc/interrupts does not tell the exception level: tables for EL1 and EL2 are loaded")
    }
    // LPA2, where pages are of 4K; with 64K 52 bits are no fifth level.
    if granule != .size64K, system.has52BitAddresses {
      warnings.append(
        "this kernel uses 52-bit addresses (LPA2): Linux 6.12 dies of that in its own kexec_load, "
          + "whoever calls it; boot with arm64.nolva")
    }
    // The running kernel's tree describes the hardware; one that was given does so too.
    let description = tree ?? nextTree
    // As Linux does, which goes by ACPI only where the tree describes no machine.
    let acpi = tree.map(Self.describesHardware) == true ? nil : try ACPIMachine(system)
    let hardware = acpi?.hardware ?? Hardware(description)
    acpiAffinities = acpi?.affinities
    warnings += acpi?.warnings ?? []
    let console = override?.console ?? hardware.console
    if console == .none, override == nil {
      warnings.append(
        "no console that baton's stage can drive (PL011, SBSA UART, 8250; below 2^48) in "
          + (acpi == nil ? "stdout-path of the device tree" : "ACPI's SPCR")
          + ": it will be silent; --console names one")
    }
    // ACPI has no clocks that a kernel could switch off.
    if acpi == nil, let base = console.registers?.start,
      SerialConsole.isInUse(at: base, system) == false
    {
      warnings.append(
        "this kernel has no console at " + base.text
          + ": where it has switched that port's clock off, the stage can stand still at it for ever; "
          + "--console names another, or none")
    }
    if hardware.conduit == .none, haltsOnFailure {
      warnings.append(
        "no PSCI in " + (acpi == nil ? "the device tree" : "ACPI's FADT")
          + ": after a failure the machine halts instead of resetting")
    }
    redistributors = hardware.redistributors
    lifeline = Lifeline(
      console: console, conduit: hardware.conduit, haltsOnFailure: haltsOnFailure)
    self.warnings = warnings
  }

  /// Whether there is more in a tree than what a boot loader has to say.
  private static func describesHardware(_ tree: DeviceTree) -> Bool {
    tree.children(of: tree.root).contains {
      let name = tree.name(of: $0)
      return name != "chosen" && name != "hypervisor"
    }
  }

  /// One regime where that is known, else one of each layout. A kernel at EL1 may have EL2 in either:
  /// HCR_EL2.E2H stays set on CPUs without FEAT_E2H0, and behind a KVM that used it (hVHE).
  var regimes: [TranslationRegime] {
    switch level {
    case .el1: [.el1]
    case .el2: [.el2, .el2Host]
    case .el2Host: [.el2Host]
    case .unknown: [.el1, .el2]
    }
  }

  /// The running kernel's timers: its own tree's numbers, where it has them. Nil where the tree
  /// describes a timer, but not the virtual one: the kernel then uses the physical one at EL1, too,
  /// and its choice tells nothing.
  private static func timers(_ tree: DeviceTree?) -> RunningLevel.TimerInterrupts? {
    do throws(DeviceTreeContentError) {
      guard let timers = try tree?.armTimerInterrupts() else { return .baseSystemArchitecture }
      guard let virtual = timers.virtual, let physical = timers.nonSecurePhysical,
        let hypervisor = timers.hypervisorPhysical
      else { return nil }
      return RunningLevel.TimerInterrupts(
        virtual: UInt64(virtual), nonSecurePhysical: UInt64(physical),
        hypervisorPhysical: UInt64(hypervisor),
        hypervisorVirtual: timers.hypervisorVirtual.map { UInt64($0) })
    } catch {
      return nil
    }
  }

  static func level<System: LinuxSystem>(
    _ system: System, timers: RunningLevel.TimerInterrupts?
  ) -> RunningLevel {
    guard let timers else { return .unknown }
    do throws(Errno) {
      return RunningLevel(interrupts: try system.read("/proc/interrupts"), timers: timers)
    } catch {
      return .unknown
    }
  }

  static func runningTree<System: LinuxSystem>(
    _ system: System
  ) throws(BatonError) -> DeviceTree? {
    let blob: [UInt8]
    do throws(Errno) { blob = try system.read(treePath) } catch {
      if error == .noSuchFile { return nil }
      throw .file(treePath, error)
    }
    do throws(DeviceTreeError) {
      // Sound: a span of bytes as the bytes that they are.
      return try unsafe DeviceTree(parsing: blob.span.bytes)
    } catch {
      throw .tree(treePath, error)
    }
  }
}
