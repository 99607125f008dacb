/// A translation granule: the size of the smallest page that a translation regime maps, and of
/// the tables that map it (Arm ARM D8.1.8, "Translation granule size").
public enum Granule: Sendable, Hashable, CaseIterable {
  case size4K
  case size16K
  case size64K

  /// log2 of the page size in bytes: 12, 14 or 16.
  public var shift: Int {
    switch self {
    case .size4K: 12
    case .size16K: 14
    case .size64K: 16
    }
  }

  /// The page size in bytes.
  public var pageSize: UInt64 { 1 << UInt64(shift) }

  /// The granule whose pages have `pageSize` bytes, or nil for any other size.
  public init?(pageSize: UInt64) {
    switch pageSize {
    case 4096: self = .size4K
    case 16384: self = .size16K
    case 65536: self = .size64K
    default: return nil
    }
  }
}
