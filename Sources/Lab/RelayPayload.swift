import Foundation
import Subprocess

/// What relay is given to start: a FIT image, as mkimage makes it.
public struct RelayPayload: Sendable {
  public var kernel: String
  public var ramdisk: [UInt8]?
  public var deviceTree: [UInt8]?
  /// Source of the image tree, for a payload of another form: `KERNEL`, `RAMDISK` and `TREE` are
  /// names of files beside it.
  public var source: String?

  /// Debian's kernel with a userland that says that it is there.
  public init(debian series: String, in workspace: Workspace) async throws {
    kernel = try workspace.kernel(series)
    ramdisk = try await Userland.second(
      busybox: try workspace.busybox(), files: [], ballast: 0)
  }

  /// The source of an image tree with a part for everything that is given.
  public var ordinarySource: String {
    var images = """
          kernel { description = "kernel"; data = /incbin/("KERNEL"); type = "kernel";
            arch = "arm64"; os = "linux"; compression = "none"; load = <0>; entry = <0>;
            hash { algo = "sha256"; }; };

      """
    var configuration = #"kernel = "kernel";"#
    if ramdisk != nil {
      images += """
            ramdisk { description = "ramdisk"; data = /incbin/("RAMDISK"); type = "ramdisk";
              arch = "arm64"; os = "linux"; compression = "none"; hash { algo = "sha256"; }; };

        """
      configuration += #" ramdisk = "ramdisk";"#
    }
    if deviceTree != nil {
      images += """
            tree { description = "tree"; data = /incbin/("TREE"); type = "flat_dt";
              arch = "arm64"; compression = "none"; hash { algo = "sha256"; }; };

        """
      configuration += #" fdt = "tree";"#
    }
    return """
      /dts-v1/;
      / { description = "payload"; #address-cells = <1>;
        images {
      \(images)  };
        configurations { default = "all"; all { \(configuration) }; };
      };

      """
  }

  /// Wraps the FIT image at `path` for U-Boot, which would take it apart itself.
  ///
  /// - Returns: the wrapped one's path.
  static func wrap(_ path: String) async throws -> String {
    try await mkimage(["-A", "arm64", "-T", "ramdisk", "-C", "none", "-d", path, path + ".uimg"])
    return path + ".uimg"
  }

  private static func mkimage(_ arguments: [String]) async throws {
    let result = try await Subprocess.run(
      .name("mkimage"), arguments: Arguments(arguments), output: .string(limit: 1 << 16),
      error: .string(limit: 1 << 16))
    guard result.terminationStatus.isSuccess else {
      throw LabError.programFailed(
        name: "mkimage", status: result.terminationStatus.description,
        message: result.standardError)
    }
  }

  /// Makes the FIT image in `directory`.
  ///
  /// - Returns: its path.
  public func write(to directory: String) async throws -> String {
    try HostFile.write(try HostFile.bytes(of: kernel), to: directory + "/KERNEL")
    if let ramdisk { try HostFile.write(ramdisk, to: directory + "/RAMDISK") }
    if let deviceTree { try HostFile.write(deviceTree, to: directory + "/TREE") }
    try HostFile.write(Array((source ?? ordinarySource).utf8), to: directory + "/payload.its")
    try await Self.mkimage(["-f", directory + "/payload.its", directory + "/payload.fit"])
    return directory + "/payload.fit"
  }
}
