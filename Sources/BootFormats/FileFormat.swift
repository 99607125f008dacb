/// What a file is, by its first bytes: for choosing a parser, and for saying what a file is that
/// cannot be used.
public enum FileFormat: Sendable, Hashable {
  /// An arm64 Linux Image, which boots by the arm64 boot protocol.
  case arm64Image
  /// A PE executable with a compressed arm64 kernel (CONFIG_EFI_ZBOOT).
  case efiZboot
  /// Another PE executable: an EFI program or a unified kernel image.
  case peExecutable
  /// A 32-bit Arm kernel.
  case zImage
  /// An x86 kernel.
  case bzImage
  case elf
  /// U-Boot's legacy image.
  case uImage
  /// A flattened device tree: a machine's description, or a FIT image, which is one as well.
  case deviceTree
  case cpio
  case gzip
  case bzip2
  case xz
  case lzma
  case lz4
  case zstd
  case unknown

  /// The format of the file that begins with `bytes`; 518 bytes are enough for every answer.
  public init(recognizing bytes: RawSpan) {
    self =
      if bytes.littleEndian(UInt32.self, at: 56) == Arm64Image.magic {
        .arm64Image
      } else if bytes.hasText("HdrS", at: 0x202), bytes.littleEndian(UInt16.self, at: 510) == 0xaa55
      {
        .bzImage
      } else if bytes.hasText("MZ", at: 0) {
        bytes.hasText("zimg", at: 4) ? .efiZboot : .peExecutable
      } else if bytes.littleEndian(UInt32.self, at: 0x24) == 0x016f_2818 {
        .zImage
      } else {
        Self.byLeadingMagic(bytes)
      }
  }

  private static func byLeadingMagic(_ bytes: RawSpan) -> FileFormat {
    guard let word = bytes.bigEndian(UInt32.self, at: 0) else { return .unknown }
    return switch word {
    case 0x7f45_4c46: .elf
    case 0x2705_1956: .uImage
    case FlattenedTree.magic: .deviceTree
    case 0x28b5_2ffd: .zstd
    // LZ4's frame format, and the legacy one that kernels use.
    case 0x0422_4d18, 0x0221_4c18: .lz4
    default:
      switch word >> 8 {
      case 0x42_5a68: .bzip2
      // The only properties and dictionary sizes that the kernel's build writes begin like this.
      case 0x5d_0000: .lzma
      default:
        if word >> 16 == 0x1f8b {
          .gzip
        } else if word == 0xfd37_7a58, bytes.bigEndian(UInt16.self, at: 4) == 0x5a00 {
          .xz
        } else if bytes.hasText("07070", at: 0) {
          .cpio
        } else {
          .unknown
        }
      }
    }
  }

  /// What a sentence calls such a file: "gzip-compressed data".
  public var noun: StaticString {
    switch self {
    case .arm64Image: "an arm64 Image"
    case .efiZboot: "a compressed EFI kernel (zboot)"
    case .peExecutable: "an EFI executable"
    case .zImage: "a 32-bit Arm kernel (zImage)"
    case .bzImage: "an x86 kernel (bzImage)"
    case .elf: "an ELF file"
    case .uImage: "a legacy U-Boot image (uImage)"
    case .deviceTree: "a device tree or a FIT image"
    case .cpio: "a cpio archive"
    case .gzip: "gzip-compressed data"
    case .bzip2: "bzip2-compressed data"
    case .xz: "xz-compressed data"
    case .lzma: "lzma-compressed data"
    case .lz4: "lz4-compressed data"
    case .zstd: "zstd-compressed data"
    case .unknown: "of no known format"
    }
  }
}
