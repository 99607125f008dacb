import BatonCommand
import Foundation
import Testing

extension FakeLinux {
  /// What `--status --json` answers.
  func status() throws -> [String: Any] {
    let before = output.utf8.count
    _ = Baton.run(["-S", "--json"], system: self)
    return try #require(
      try JSONSerialization.jsonObject(with: Data(output.utf8.dropFirst(before)))
        as? [String: Any])
  }
}
