/// Why a PE executable is no unified kernel image that can be used. Sizes and offsets are in bytes of
/// the file.
public enum UnifiedKernelImageError: Error, Sendable, Hashable {
  /// It has no PE header.
  case notPE
  /// The file ends before its headers do.
  case truncated(fileSize: Int, expected: Int)
  /// An executable for another architecture: the PE header's machine.
  case wrongMachine(UInt16)
  /// There is no `.linux`, or nothing in it: an EFI program of another kind.
  case noKernel
  /// The section would end behind the file's end.
  case sectionOutOfBounds(UnifiedKernelImage.Section, end: Int, fileSize: Int)
}
