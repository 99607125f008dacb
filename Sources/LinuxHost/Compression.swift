/// A compressed format that can be undone.
public enum Compression: Sendable, Hashable, CaseIterable {
  /// RFC 1952, by zlib.
  case gzip
  /// RFC 8878, by libzstd.
  case zstd
  /// The .xz file format, by liblzma.
  case xz
  /// The .lzma format of LZMA_Alone, by liblzma.
  case lzma
}
