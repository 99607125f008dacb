/// The ways to relocate, by the names that `relay.boot=` and `relay.bench` know.
public enum RelocationSystem: Sendable, Hashable, CaseIterable {
  case off
  case identity
  case linear
  case contiguous
  case none

  public var name: StaticString {
    switch self {
    case .off: "off"
    case .identity: "identity"
    case .linear: "linear"
    case .contiguous: "contiguous"
    case .none: "none"
    }
  }
}
