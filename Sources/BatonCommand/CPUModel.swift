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

  /// TGran16 reads 0 in ID_AA64MMFR0_EL1 (0x1122, 0x1124, 0x1124, 0x1122): by the registers' values
  /// in QEMU's descriptions of these CPUs (target/arm), taken from the Technical Reference Manuals
  /// (Cortex-A53 DDI 0500, A57 DDI 0488, A72 100095).
  private static var known: [CPUModel] {
    [
      CPUModel(name: "Cortex-A53", implementer: 0x41, part: 0xd03, missing: .size16K),
      CPUModel(name: "Cortex-A57", implementer: 0x41, part: 0xd07, missing: .size16K),
      CPUModel(name: "Cortex-A72", implementer: 0x41, part: 0xd08, missing: .size16K),
      CPUModel(name: "A64FX", implementer: 0x46, part: 0x001, missing: .size16K),
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
