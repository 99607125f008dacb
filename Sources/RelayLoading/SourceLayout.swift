/// How scattered the pages are in which an image waits for its relocation.
public enum SourceLayout: Sendable, Hashable, CaseIterable {
  /// No two pages of the image are contiguous at their source.
  case worst
  /// Runs of 16 pages, as a kernel that has been up for a while has them.
  case typical
  /// One run.
  case best

  public var name: StaticString {
    switch self {
    case .worst: "worst"
    case .typical: "typical"
    case .best: "best"
    }
  }
}
