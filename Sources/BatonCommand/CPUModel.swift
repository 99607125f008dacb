import LinuxHost
import PhysicalMemory

/// A CPU that is known to lack a translation granule. User space cannot ask the CPU: the kernel
/// hides ID_AA64MMFR0_EL1's granule fields.
struct CPUModel: Sendable {
  let name: StaticString
  /// MIDR_EL1's implementer and part number.
  let implementer: UInt64
  let part: UInt64
  let missing: Granule

  /// From the descriptions of ID_AA64MMFR0_EL1 in the Technical Reference Manuals of Arm's cores
  /// (Cortex-A53 DDI 0500, A57 DDI 0488, A72 100095: TGran16 reads 0) and from the documentation of
  /// Asahi Linux, "HW: CPU details" (Apple's M1: 4K and 16K only).
  private static var known: [CPUModel] {
    [
      CPUModel(name: "Cortex-A53", implementer: 0x41, part: 0xd03, missing: .size16K),
      CPUModel(name: "Cortex-A57", implementer: 0x41, part: 0xd07, missing: .size16K),
      CPUModel(name: "Cortex-A72", implementer: 0x41, part: 0xd08, missing: .size16K),
      CPUModel(name: "Apple M1, Icestorm", implementer: 0x61, part: 0x022, missing: .size64K),
      CPUModel(name: "Apple M1, Firestorm", implementer: 0x61, part: 0x023, missing: .size64K),
    ]
  }

  /// The CPU that this machine booted on, where it is among the known ones.
  static func running<System: LinuxSystem>(_ system: System) -> CPUModel? {
    guard let midr = system.mainIDRegister else { return nil }
    for model in known
    where model.implementer == midr >> 24 & 0xff && model.part == midr >> 4 & 0xfff {
      return model
    }
    return nil
  }

  func lacks(_ granule: Granule) -> Bool {
    granule == missing
  }
}
