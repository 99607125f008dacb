/// The source of a FIT image, as mkimage(1) takes it, of the files `kernel`, `initrd` and `tree`. It has two
/// configurations: `bare`, the kernel alone, and `full`.
public struct FITSource: Sendable {
  /// The kernel's; the other parts are as they are.
  public var compression: String
  /// The algorithms of each part's hashes, in their order.
  public var kernelHashes: [String]
  public var initrdHashes: [String]
  public var treeHashes: [String]
  /// The line that names the default configuration.
  public var defaults: String

  public init(
    compression: String = "none", kernelHashes: [String] = ["sha256"],
    initrdHashes: [String] = ["crc32"], treeHashes: [String] = ["sha1"],
    defaults: String = "default = \"full\";"
  ) {
    self.compression = compression
    self.kernelHashes = kernelHashes
    self.initrdHashes = initrdHashes
    self.treeHashes = treeHashes
    self.defaults = defaults
  }

  /// The file made of it by mkimage.
  ///
  /// - Parameter options: of mkimage.
  public func image(
    kernel: [UInt8], initrd: [UInt8], tree: [UInt8], _ options: [String] = []
  ) throws -> [UInt8] {
    try HostTool.run(
      ["mkimage"] + options + ["-f", "image.its", "image.itb"],
      with: [
        "image.its": Array(text.utf8), "kernel": kernel, "initrd": initrd, "tree": tree,
      ], result: "image.itb")
  }

  private static func nodes(_ algorithms: [String]) -> String {
    algorithms.enumerated().map { "hash-\($0 + 1) { algo = \"\($1)\"; };" }.joined(separator: " ")
  }

  private var text: String {
    """
    /dts-v1/;
    / {
      description = "test";
      #address-cells = <1>;
      images {
        kernel-1 {
          data = /incbin/("kernel"); type = "kernel"; arch = "arm64"; os = "linux";
          compression = "\(compression)"; load = <0>; entry = <0>;
          \(Self.nodes(kernelHashes))
        };
        ramdisk-1 {
          data = /incbin/("initrd"); type = "ramdisk"; arch = "arm64"; os = "linux";
          compression = "none";
          \(Self.nodes(initrdHashes))
        };
        fdt-1 {
          data = /incbin/("tree"); type = "flat_dt"; arch = "arm64"; compression = "none";
          \(Self.nodes(treeHashes))
        };
      };
      configurations {
        \(defaults)
        bare { kernel = "kernel-1"; };
        full { kernel = "kernel-1"; ramdisk = "ramdisk-1"; fdt = "fdt-1"; };
      };
    };
    """
  }
}
