/// Why gzip-compressed data (RFC 1952) could not be decompressed.
public enum GzipError: Error, Hashable, Sendable {
  /// Too short for a header and a trailer, or the data ends before its end.
  case truncated
  /// No gzip data, or the checksum does not match.
  case damaged
  /// There is more, or less, than the last four bytes say: damaged, or something is appended.
  case wrongSize
  /// The bytes that the trailer announces are more than the limit.
  case tooLarge(size: UInt64, limit: UInt64)
  case noMemory
}
