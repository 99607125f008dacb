import Foundation
import Subprocess

/// A disk of the lab's machines: an ext4 file system in a file.
public enum DiskImage {
  /// Makes one of so many MiB at `path`, with these files in it.
  public static func make(
    at path: String, mebibytes: Int, files: [(name: String, contents: [UInt8])] = []
  ) async throws {
    try await HostFile.withTemporaryDirectory { folder in
      for file in files { try HostFile.write(file.contents, to: folder + "/" + file.name) }
      // In a folder where it lies for those who are not root, too.
      let search = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/sbin"
      let result = try await Subprocess.run(
        .name("mke2fs"), arguments: ["-q", "-t", "ext4", "-d", folder, path, "\(mebibytes)M"],
        environment: .inherit.updating(["PATH": search]), output: .discarded,
        error: .string(limit: 1 << 12))
      guard result.terminationStatus.isSuccess else {
        throw LabError.programFailed(
          name: "mke2fs", status: result.terminationStatus.description,
          message: result.standardError)
      }
    }
  }
}
