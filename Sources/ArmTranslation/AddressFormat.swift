import PhysicalMemory

/// How many bits of address tables take in and give out, and with that their descriptors' format
/// (Arm ARM D8.3.1, "VMSAv8-64 descriptor formats").
public enum AddressFormat: Sendable, Hashable, CaseIterable {
  /// Of every CPU.
  case bits48
  /// With 64 KiB pages FEAT_LPA, and FEAT_LVA where virtual addresses need more than 48 bits; with
  /// 4 and 16 KiB pages FEAT_LPA2, switched on by TCR_ELx.DS.
  case bits52

  /// The smaller one that holds addresses below `end`. Where memory lies above 2^48, whatever runs
  /// there has the larger one.
  public init(holding end: PhysicalAddress) {
    self = end.rawValue > 1 << 48 ? .bits52 : .bits48
  }

  /// The most bits of an address, either way.
  public var bits: Int {
    switch self {
    case .bits48: 48
    case .bits52: 52
    }
  }

  /// Whether TCR_ELx.DS goes with tables of this format: descriptors have no SH field then.
  func usesDS(_ granule: Granule) -> Bool { self == .bits52 && granule != .size64K }

  /// `address`, aligned to a page at least, in its place in a descriptor.
  func field(_ address: PhysicalAddress, granule: Granule) -> UInt64 {
    let raw = address.rawValue
    guard self == .bits52 else { return raw }
    return switch granule {
    // [51:48] in [15:12].
    case .size64K: raw & 0x0000_FFFF_FFFF_FFFF | raw >> 36 & 0xF000
    // [51:50] in [9:8].
    case .size4K, .size16K: raw & 0x0003_FFFF_FFFF_FFFF | raw >> 42 & 0x300
    }
  }
}

extension PhysicalAddress {
  /// The root table's address as TTBR0_ELx and TTBR1_ELx hold it, with ASID and CnP 0: its bits
  /// [51:48], where there are any, in [5:2] (Arm ARM D24.2, TTBR0_EL1.BADDR).
  public var baseAddressField: UInt64 {
    rawValue & 0x0000_FFFF_FFFF_FFFF | rawValue >> 46 & 0b11_1100
  }
}
