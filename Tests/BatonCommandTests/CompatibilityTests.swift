import BatonCommand
import Foundation
import Testing

/// Documentation/compatibility.md: what it says is proven by tests that exist.
@Suite struct CompatibilityTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// The cells of the document's table rows, their heads not among them.
  private static func rows() throws -> [[String]] {
    let text = try String(
      contentsOf: root.appending(path: "Documentation/compatibility.md"), encoding: .utf8)
    return text.split(separator: "\n").filter { $0.hasPrefix("| ") }.map { line in
      line.dropFirst(2).dropLast(2).components(separatedBy: " | ")
    }.filter { $0.last != "test" }
  }

  /// The names of the tests of each suite, with or without a suite's own words.
  private static func suites() throws -> [String: Set<String>] {
    let tests = root.appending(path: "Tests")
    let paths = try FileManager.default.subpathsOfDirectory(atPath: tests.path)
    var suites: [String: Set<String>] = [:]
    for path in paths where path.hasSuffix("Tests.swift") {
      let source = try String(contentsOf: tests.appending(path: path), encoding: .utf8)
      var names: Set<String> = []
      for match in source.matches(of: /func (?:`([^`]+)`|(\w+))/) {
        names.insert(String(match.1 ?? match.2 ?? ""))
      }
      for match in source.matches(of: /@Test\(\s*"([^"]+)"/) { names.insert(String(match.1)) }
      for match in source.matches(of: /struct (\w+Tests)\b/) {
        suites[String(match.1), default: []].formUnion(names)
      }
    }
    return suites
  }

  @Test func `Every test that the table names exists, and each row names one`() throws {
    let suites = try Self.suites()
    let rows = try Self.rows()
    #expect(rows.count > 40)
    for row in rows {
      let cell = try #require(row.last)
      var named = cell.hasPrefix("the same")
      for match in cell.matches(of: /`(\w+Tests)`(?:: )?([^`]*)/) {
        named = true
        let suite = String(match.1)
        guard let names = suites[suite] else {
          Issue.record("no suite \(suite): \(row[0])")
          continue
        }
        // Names are separated by semicolons, which some contain; what follows one in parentheses is
        // a remark.
        var rest = String(match.2.trimmingCharacters(in: .whitespaces))
        if !match.0.contains("`: ") { rest = "" }
        // A remark may go on behind something in code.
        while !rest.isEmpty, !rest.hasPrefix(" ("), !rest.hasPrefix("("), !rest.hasSuffix(":") {
          guard let name = names.filter(rest.hasPrefix).max(by: { $0.count < $1.count }) else {
            Issue.record("\(suite) has no test called “\(rest)”")
            break
          }
          rest.removeFirst(name.count)
          rest = String(rest.trimmingPrefix(#/ \([^)]*\)/#).trimmingPrefix(#/[;,] ?/#))
        }
      }
      #expect(named || cell.contains("`make matrix`"), "\(row[0])")
    }
  }

  @Test func `Every option of kexec-tools has a row`() throws {
    let options = try Self.rows().map { $0[0] }.joined(separator: "\n")
    for option in CommandOption.all where option.isOfKexecTools {
      #expect(options.contains("--\(option.long[0])`"), "--\(option.long[0])")
    }
  }
}
