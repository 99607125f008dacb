/// What a handoff passes through, as seen on the console.
public enum HandoffPhase: Sendable, Equatable {
  case firstKernel(version: String)
  case firstUserland
  case loaded
  case bye
  case stage(line: String)
  case secondKernel(version: String)
  case secondUserland

  /// The phase without what the guest said about it.
  public enum Name: String, Sendable, CaseIterable {
    case firstKernel = "first kernel"
    case firstUserland = "first userland"
    case loaded = "next kernel loaded"
    case bye = "Bye!"
    case stage = "the stage's line"
    case secondKernel = "second kernel"
    case secondUserland = "second userland"
  }

  public var name: Name {
    switch self {
    case .firstKernel: .firstKernel
    case .firstUserland: .firstUserland
    case .loaded: .loaded
    case .bye: .bye
    case .stage: .stage
    case .secondKernel: .secondKernel
    case .secondUserland: .secondUserland
    }
  }

  /// What the guest said about it, if it is worth reading.
  public var detail: String {
    switch self {
    case .firstKernel(let version), .secondKernel(let version): version
    case .stage(let line): line
    default: ""
    }
  }

  /// The phases that every handoff passes through.
  static func expected(withStage: Bool) -> [Name] {
    Name.allCases.filter { $0 != .stage || withStage }
  }
}
