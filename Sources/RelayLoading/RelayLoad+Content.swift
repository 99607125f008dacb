import BootDigests
import KexecRelocation
import PhysicalMemory

enum PieceCount {
  static func of(_ segments: [LoadSegment]) -> Int {
    var count = 0
    for segment in segments {
      count += Int((segment.size + Piece.maximumSize - 1) / Piece.maximumSize)
    }
    return count
  }
}

extension RelayLoad {
  /// Writes what is made up where it waits, and cleans it.
  static func fill<Memory: LoaderMemory>(
    _ extents: [Extent], of segments: [LoadSegment], _ memory: Memory
  ) {
    for segment in segments {
      guard case .pattern = segment.content else { continue }
      // An extent may join the end of one segment with the start of the next.
      for extent in extents {
        guard let part = extent.destination.intersection(segment.destination) else { continue }
        let start = extent.source.start + (part.start - extent.destination.start)
        let place = PhysicalRange(start, upTo: start + part.size)
        memory.writePattern(place, seed: part.start - segment.start)
        memory.clean(place)
      }
    }
  }

  /// The digests of what the segments will be, a piece each.
  ///
  /// - Parameter extents: in ascending order of destinations.
  static func pieces<Memory: LoaderMemory>(
    _ segments: [LoadSegment], _ extents: [Extent], _ implementation: SHA256.Implementation,
    _ memory: Memory
  ) -> [Piece] {
    var pieces: [Piece] = []
    var extent = 0
    for segment in segments {
      var offset: UInt64 = 0
      while offset < segment.size {
        let size = min(Piece.maximumSize, segment.size - offset)
        let range = PhysicalRange(segment.start + offset, upTo: segment.start + offset + size)
        var hash = SHA256(using: implementation)
        if segment.isDigestedFromCopy {
          var target = range.start
          while target < range.end {
            while !extents[extent].destination.contains(target) { extent += 1 }
            let current = extents[extent]
            let end = min(range.end, current.destination.end)
            let source = current.source.start + (target - current.destination.start)
            memory.read(PhysicalRange(source, upTo: source + (end - target))) { hash.update($0) }
            target = end
          }
        } else {
          segment.read(from: offset, size: size, in: memory) { hash.update($0) }
        }
        pieces.append(Piece(role: segment.role, range: range, digest: hash.finalize()))
        offset += size
      }
    }
    return pieces
  }
}

extension LoaderMemory {
  /// Fills `range` with words that say which they are, from byte `seed` of the whole on.
  func writePattern(_ range: PhysicalRange, seed: UInt64) {
    var words = [UInt64](repeating: 0, count: 512)
    var offset: UInt64 = 0
    while offset < range.size {
      for index in words.indices {
        words[index] = (seed + offset + 8 * UInt64(index)) &* 0x9E37_79B9_7F4A_7C15
      }
      let size = min(4096, range.size - offset)
      // Sound: words have no padding.
      write(unsafe words.span.bytes.extracting(first: Int(size)), at: range.start + offset)
      offset += size
    }
  }
}
