import BootFormats
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// Whether a kernel can take over this machine at all: what the running kernel would not say, or
/// only when it is too late.
enum Suitability {
  /// Refuses what is known not to work. A crash kernel comes up beside CPUs that stay on.
  ///
  /// - Returns: sentences about what may not work.
  static func require<System: LinuxSystem>(
    _ image: Arm64Image, path: String, for slot: KexecSlot, on machine: Machine, _ system: System
  ) throws(BatonError) -> [String] {
    if slot == .normal, let cpu = stayingCPU(machine.tree, system) {
      throw .cpuStays(cpu.name, possible: cpu.possible)
    }
    if let error = missingFirmware(machine, system) { throw error }
    return try pageSizeWarnings(
      image, path: path, runningOn: machine.granule,
      otherwise: "the stage says so and resets", system)
  }

  /// Refuses a kernel with pages of a size that this CPU is known to lack.
  ///
  /// - Parameters:
  ///   - granule: the running kernel's pages.
  ///   - otherwise: what happens where the CPU lacks them all the same.
  /// - Returns: sentences about what may not work.
  static func pageSizeWarnings<System: LinuxSystem>(
    _ image: Arm64Image, path: String, runningOn granule: Granule?, otherwise: String,
    _ system: System
  ) throws(BatonError) -> [String] {
    guard let pageSize = image.pageSize, let granule, pageSize != granule else { return [] }
    if let model = CPUModel.running(system), model.lacks(pageSize) {
      throw .pageSizeLacking(path, pageSize, cpu: model.name)
    }
    return [
      path + " has pages of " + pageSize.text + " and the running kernel of " + granule.text
        + ": where this CPU lacks them, " + otherwise
    ]
  }

  /// What stands in the way where firmware has no PSCI: CPUs that ACPI's parking protocol has
  /// started, of which none can be switched off, and that nothing could reset the machine.
  static func missingFirmware<System: LinuxSystem>(
    _ machine: Machine, _ system: System
  ) -> BatonError? {
    guard machine.lifeline.conduit == .none else { return nil }
    if machine.acpiAffinities != nil, let possible = system.possibleCPUCount, possible > 1 {
      return .cpuStays("the others", possible: possible)
    }
    return machine.lifeline.haltsOnFailure ? nil : .noReset
  }

  /// Refuses a load of so many bytes where memory is known not to suffice: the kernel copies them
  /// all, and may kill programs to find the room.
  static func requireMemory<System: LinuxSystem>(
    _ needed: UInt64, _ system: System
  ) throws(BatonError) {
    guard let available = system.availableMemory, available < needed else { return }
    throw .tooLittleMemory(needed: needed, available: available)
  }

  /// A CPU that firmware cannot switch off, where the kernel may have more than one, online or not:
  /// it refuses to restart then (arm64's machine_kexec_prepare). Nil where there is none or the tree
  /// has no CPUs, as with ACPI.
  static func stayingCPU<System: LinuxSystem>(
    _ tree: DeviceTree?, _ system: System
  ) -> (name: String, possible: Int)? {
    guard let tree, let possible = system.possibleCPUCount ?? system.onlineCPUCount, possible > 1,
      let cpus = tree.node(at: "/cpus")
    else { return nil }
    let hasPSCI =
      !tree.nodes(compatibleWith: "arm,psci-1.0", "arm,psci-0.2", "arm,psci").isEmpty
    for cpu in tree.children(of: cpus)
    where tree.property("device_type", of: cpu)?.contains("cpu") ?? false {
      let isByPSCI = tree.property("enable-method", of: cpu)?.contains("psci") ?? false
      if !isByPSCI || !hasPSCI { return (tree.name(of: cpu), possible) }
    }
    return nil
  }
}
