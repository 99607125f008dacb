import BootFormats

/// The types of kernel that `--type` names, in kexec-tools' spelling. What a file is, is told by its
/// content: the option only refuses what is something else.
enum KernelType: String, Hashable, Sendable {
  case image = "Image"
  /// A compressed Image; vmlinuz from kexec-tools 2.0.28 on.
  case compressed = "zImage"
  case vmlinuz
  case uki

  /// Whether a file of this format is of this type.
  func includes(_ format: FileFormat) -> Bool {
    switch self {
    case .image: format == .arm64Image
    case .compressed, .vmlinuz:
      [.gzip, .zstd, .xz, .lzma, .lz4, .efiZboot].contains(format)
    case .uki: format == .peExecutable
    }
  }
}
