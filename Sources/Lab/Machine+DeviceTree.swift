import Subprocess

extension Machine {
  /// The device tree that QEMU makes for this machine, what it boots left out.
  public func ownDeviceTree() async throws -> [UInt8] {
    try await HostFile.withTemporaryDirectory { directory in
      var bare = self
      bare.kernel = nil
      bare.initrd = nil
      bare.disk = nil
      var arguments = bare.arguments(control: directory + "/control")
      try HostFile.write([], to: directory + "/control.in")
      if let machine = arguments.firstIndex(of: "-M") {
        arguments[machine + 1] += ",dumpdtb=" + directory + "/tree"
      }
      let result = try await Subprocess.run(
        .name("qemu-system-aarch64"), arguments: Arguments(arguments), output: .discarded,
        error: .string(limit: 1 << 12))
      guard result.terminationStatus.isSuccess else {
        throw LabError.programFailed(
          name: "qemu-system-aarch64", status: result.terminationStatus.description,
          message: result.standardError)
      }
      return try HostFile.bytes(of: directory + "/tree")
    }
  }
}
