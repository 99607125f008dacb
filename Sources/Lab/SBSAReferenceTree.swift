import Subprocess

/// The device tree that QEMU's `sbsa-ref` does not hand out: one CPU, its interrupt controller, clock,
/// watchdog and console, and memory from 2^40 on (QEMU's docs/system/arm/sbsa.rst; addresses as in its
/// hw/arm/sbsa-ref.c).
enum SBSAReferenceTree {
  private static func source(memory: Int) -> String {
    """
    /dts-v1/;
    / {
      #address-cells = <2>; #size-cells = <2>; interrupt-parent = <&gic>;
      compatible = "linux,sbsa-ref"; model = "sbsa-ref";
      chosen { stdout-path = "/serial@60000000"; };
      cpus {
        #address-cells = <1>; #size-cells = <0>;
        cpu@0 { device_type = "cpu"; compatible = "arm,armv8"; reg = <0>; };
      };
      memory@10000000000 {
        device_type = "memory";
        reg = <0x100 0 \(memory >> 12) 0x\(String((memory & 0xFFF) << 20, radix: 16))>;
      };
      gic: interrupt-controller@40060000 {
        compatible = "arm,gic-v3"; #interrupt-cells = <3>; interrupt-controller;
        reg = <0 0x40060000 0 0x10000>, <0 0x40080000 0 0x4000000>;
      };
      timer {
        compatible = "arm,armv8-timer";
        interrupts = <1 13 4>, <1 14 4>, <1 11 4>, <1 10 4>;
      };
      watchdog@50011000 {
        compatible = "arm,sbsa-gwdt"; reg = <0 0x50011000 0 0x1000>, <0 0x50010000 0 0x1000>;
        interrupts = <0 16 4>;
      };
      clock: clock { compatible = "fixed-clock"; #clock-cells = <0>; clock-frequency = <24000000>; };
      serial@60000000 {
        compatible = "arm,pl011", "arm,primecell"; reg = <0 0x60000000 0 0x1000>;
        interrupts = <0 1 4>; clocks = <&clock>, <&clock>; clock-names = "uartclk", "apb_pclk";
      };
    };

    """
  }

  /// - Parameter memory: in MiB.
  static func blob(memory: Int, in directory: String) async throws -> [UInt8] {
    try HostFile.write(Array(source(memory: memory).utf8), to: directory + "/tree.dts")
    let result = try await Subprocess.run(
      .name("dtc"),
      arguments: [
        "-q", "-I", "dts", "-O", "dtb", "-o", directory + "/TREE", directory + "/tree.dts",
      ],
      output: .discarded, error: .string(limit: 1 << 16))
    guard result.terminationStatus.isSuccess else {
      throw LabError.programFailed(
        name: "dtc", status: result.terminationStatus.description, message: result.standardError)
    }
    return try HostFile.bytes(of: directory + "/TREE")
  }
}
