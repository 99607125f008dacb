import Foundation
import Lab
import Testing

extension Trait where Self == ConditionTrait {
  /// A test that takes too long for `make test`: `make matrix` runs it.
  static var matrix: Self {
    .enabled(
      if: ProcessInfo.processInfo.environment["BATON_MATRIX"] != nil, "part of make matrix")
  }

  /// A test that takes the kernels with kexec_file_load(2), which nobody has to have.
  static var fileKernels: Self {
    .enabled(
      if: FileManager.default.fileExists(
        atPath: Workspace().cache + "/guest/kernels/6.1-file-signed/vmlinuz"),
      "make file-kernels builds the kernels that it takes")
  }
}
