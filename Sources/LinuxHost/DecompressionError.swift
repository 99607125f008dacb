/// Why compressed data could not be decompressed. Sizes are in bytes.
public enum DecompressionError: Error, Hashable, Sendable {
  /// The data ends before its end.
  case truncated
  /// The data is not of its format, or a checksum does not match.
  case damaged
  /// gzip: there is more, or less, than the last four bytes say: damaged, or something is appended.
  case wrongSize
  /// So many bytes follow the end of the data.
  case appended(size: Int)
  /// gzip announces more than the limit.
  case tooLarge(size: UInt64, limit: UInt64)
  /// There is more than the limit.
  case largerThan(limit: UInt64)
  /// The data uses something that this decoder lacks: a filter, a check, a dictionary.
  case unsupported
  /// There was nothing in it.
  case empty
  /// Neither for the result nor for the decoder, whose dictionary may be as large as the result.
  case noMemory
}
