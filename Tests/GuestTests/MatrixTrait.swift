import Foundation
import Testing

extension Trait where Self == ConditionTrait {
  /// A test that takes too long for `make test`: `make matrix` runs it.
  static var matrix: Self {
    .enabled(
      if: ProcessInfo.processInfo.environment["BATON_MATRIX"] != nil, "part of make matrix")
  }
}
