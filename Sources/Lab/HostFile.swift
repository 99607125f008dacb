import Foundation

/// Files of the machine that the lab runs on, read and written whole.
public enum HostFile {
  public static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path)
  }

  public static func bytes(of path: String) throws(LabError) -> [UInt8] {
    do {
      return [UInt8](try Data(contentsOf: URL(filePath: path)))
    } catch {
      throw .system(operation: "read", path: path, reason: error.localizedDescription)
    }
  }

  /// The file's text; bytes that are no UTF-8 are replaced.
  public static func text(of path: String) throws(LabError) -> String {
    String(decoding: try bytes(of: path), as: UTF8.self)
  }

  /// The names of a folder's entries, in order.
  public static func names(in path: String) throws(LabError) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    } catch {
      throw .system(operation: "list", path: path, reason: error.localizedDescription)
    }
  }

  public static func write(_ bytes: [UInt8], to path: String) throws(LabError) {
    do {
      try Data(bytes).write(to: URL(filePath: path))
    } catch {
      throw .system(operation: "write", path: path, reason: error.localizedDescription)
    }
  }

  /// Calls `body` with a directory of its own, short enough for a socket's path, and removes the
  /// directory afterwards with all that is in it.
  public static func withTemporaryDirectory<Result>(
    _ body: (_ path: String) async throws -> Result
  ) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory
      .appending(path: "lab-\(UInt64.random(in: 0...UInt64.max))")
    do {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    } catch {
      throw LabError.system(
        operation: "create", path: directory.path, reason: error.localizedDescription)
    }
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory.path)
  }
}
