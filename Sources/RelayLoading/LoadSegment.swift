import KexecRelocation
import PhysicalMemory

/// A run of bytes that must lie at `destination` when the next program starts.
public struct LoadSegment: Sendable {
  public enum Content: Sendable {
    case bytes([UInt8])
    /// What lies there now.
    case memory(PhysicalRange)
    /// What lies there when it is copied, which may be later than all else: digests are of the copy.
    case snapshot(PhysicalRange)
    /// So many bytes that differ from page to page: for measuring.
    case pattern(UInt64)
  }

  public let role: SegmentRole
  public let content: Content
  /// Where its first byte goes; on a page boundary.
  public let start: PhysicalAddress

  public init(_ role: SegmentRole, _ content: Content, at start: PhysicalAddress) {
    self.role = role
    self.content = content
    self.start = start
  }

  /// In bytes.
  public var size: UInt64 {
    switch content {
    case .bytes(let bytes): UInt64(bytes.count)
    case .memory(let range), .snapshot(let range): range.size
    case .pattern(let size): size
    }
  }

  /// Whether the digests are of what was copied, not of where it came from.
  var isDigestedFromCopy: Bool {
    switch content {
    case .bytes, .memory: false
    case .snapshot, .pattern: true
    }
  }

  /// What it takes where it goes.
  public var destination: PhysicalRange { PhysicalRange(start, upTo: start + size) }

  /// Hands `body` the bytes from `offset` on, `size` of them at most. Not for a pattern.
  func read<Memory: LoaderMemory>(
    from offset: UInt64, size: UInt64, in memory: Memory, _ body: (RawSpan) -> Void
  ) {
    let size = min(size, self.size - offset)
    switch content {
    case .bytes(let bytes):
      // Sound: bytes as the bytes that they are.
      body(unsafe bytes.span.bytes.extracting(Int(offset)..<Int(offset + size)))
    case .memory(let range), .snapshot(let range):
      let start = range.start + offset
      memory.read(PhysicalRange(start, upTo: start + size), body)
    case .pattern: break
    }
  }
}
