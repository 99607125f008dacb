import PhysicalMemory

/// The granule's encodings in TCR_ELx: TG0 and TG1 disagree (Arm ARM D24.2, TCR_EL1).
extension Granule {
  var tg0: UInt64 {
    switch self {
    case .size4K: 0b00
    case .size64K: 0b01
    case .size16K: 0b10
    }
  }

  var tg1: UInt64 {
    switch self {
    case .size16K: 0b01
    case .size4K: 0b10
    case .size64K: 0b11
    }
  }
}
