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
  /// Writes what belongs at an extent's destination to its source.
  static func fill<Memory: LoaderMemory>(
    _ extent: Extent, _ segments: [LoadSegment], _ memory: Memory
  ) {
    // An extent may join the end of one segment with the start of the next.
    var target = extent.destination.start
    while target < extent.destination.end {
      let source = extent.source.start + (target - extent.destination.start)
      var end = extent.destination.end
      for segment in segments where segment.destination.contains(target) {
        let offset = target - segment.start
        end = min(end, segment.destination.end)
        let place = PhysicalRange(source, upTo: source + (end - target))
        if case .pattern = segment.content {
          memory.writePattern(place, seed: offset)
        } else {
          segment.read(from: offset, size: place.size, in: memory) {
            memory.write($0, at: place.start)
          }
        }
        break
      }
      if !segments.contains(where: { $0.destination.contains(target) }) {
        // The rest of a segment's last page.
        for segment in segments where segment.start > target { end = min(end, segment.start) }
        memory.clear(PhysicalRange(source, upTo: source + (end - target)))
      }
      target = end
    }
    memory.clean(extent.source)
  }

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
