/// Why a file is no arm64 Image that can be started. Sizes are in bytes.
public enum ImageError: Error, Sendable, Hashable {
  /// The file ends before the 64 bytes of the header do.
  case tooShort(fileSize: Int)
  /// The header's magic number is not there; `format` is what the file looks like instead.
  case notAnImage(format: FileFormat)
  /// The kernel runs big-endian, which is not supported.
  case bigEndian
  /// The header does not give the kernel's size: a kernel before Linux 3.17. What memory it needs
  /// is unknown.
  case imageSizeZero
  /// The kernel's place, `textOffset` + `imageSize` bytes, is larger than any address space.
  case outOfRange(textOffset: UInt64, imageSize: UInt64)
  /// The file is longer than what the kernel says it occupies in memory.
  case longerThanImage(fileSize: Int, imageSize: UInt64)
  /// The file's own section table reaches beyond the end of the file.
  case truncated(fileSize: Int, expected: UInt64)
}
