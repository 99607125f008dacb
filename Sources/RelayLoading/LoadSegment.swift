import KexecRelocation
import PhysicalMemory

/// A run of bytes that must lie at `start` when the next program starts.
public struct LoadSegment: Sendable {
  public enum Content: Sendable {
    case bytes([UInt8])
    /// What lies there now.
    case memory(PhysicalRange)
    /// What lies in the segment's own place when it is copied, which may be later than all else.
    case snapshot(UInt64)
    /// So many bytes that differ from page to page: for measuring.
    case pattern(UInt64)
  }

  public let role: SegmentRole
  public let content: Content
  /// Where its first byte goes; on a page boundary.
  public let start: PhysicalAddress
  /// What it takes there, in bytes: behind its own ones there are zeros.
  public let memorySize: UInt64

  /// - Parameter memorySize: at least as much as the bytes; nil for just them.
  public init(
    _ role: SegmentRole, _ content: Content, at start: PhysicalAddress, memorySize: UInt64? = nil
  ) {
    self.role = role
    self.content = content
    self.start = start
    self.memorySize = memorySize ?? content.size
  }

  /// Of its bytes.
  public var size: UInt64 { content.size }

  /// Whether the digests are of what was copied, not of where it came from.
  var isDigestedFromCopy: Bool {
    switch content {
    case .bytes, .memory: false
    case .snapshot, .pattern: true
    }
  }

  /// What it takes where it goes.
  public var destination: PhysicalRange { PhysicalRange(start, upTo: start + memorySize) }

  /// The same in whole pages.
  func pages(_ granule: Granule) -> PhysicalRange {
    destination.alignedOutward(to: granule.pageSize) ?? destination
  }

  /// Hands `body` the bytes from `offset` on, `size` of them at most. Not for what is not there
  /// until it is copied.
  func read<Memory: LoaderMemory, Failure>(
    from offset: UInt64, size: UInt64, in memory: Memory,
    _ body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    let size = min(size, self.size - offset)
    switch content {
    case .bytes(let bytes):
      // Sound: bytes as the bytes that they are.
      try body(unsafe bytes.span.bytes.extracting(Int(offset)..<Int(offset + size)))
    case .memory(let range):
      let start = range.start + offset
      try memory.read(PhysicalRange(start, upTo: start + size), body)
    case .snapshot, .pattern: break
    }
  }
}

extension LoadSegment.Content {
  /// In bytes.
  public var size: UInt64 {
    switch self {
    case .bytes(let bytes): UInt64(bytes.count)
    case .memory(let range): range.size
    case .snapshot(let size), .pattern(let size): size
    }
  }
}
