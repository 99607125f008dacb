/// Why a compressed EFI kernel cannot be used. Sizes and offsets are in bytes of the file.
public enum EFIZbootError: Error, Sendable, Hashable {
  /// The file ends before its headers do.
  case tooShort(fileSize: Int)
  /// A kernel for another architecture: the PE header's machine.
  case wrongMachine(UInt16)
  /// The payload is empty, or does not lie between the head and the file's end.
  case payloadOutOfBounds(offset: UInt32, size: UInt32, fileSize: Int)
}
