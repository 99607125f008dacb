import PhysicalMemory

extension TableLayout {
  /// Appends the descriptors of all tables, one page of them after the other, to lie from `base` on,
  /// the root first.
  ///
  /// Tables of pages are filled in ascending order, each before the next begins: what is written there
  /// is written once, and only what is left out becomes zeros.
  ///
  /// - Parameter words: whole tables; with room for all that is appended nothing is copied.
  func append(
    to words: inout [UInt64], at base: PhysicalAddress, regime: TranslationRegime
  ) {
    let granule = geometry.granule
    let entries = granule.entriesPerTable
    let first = words.count
    // Where the next table begins, and the one that each level from −1 on is in now.
    var next = first
    var current = InlineArray<5, Int>(repeating: 0)
    // Most mappings are of one kind.
    var kind = MemoryKind.data
    var attributes = LeafAttributes(kind, regime: regime, geometry: geometry)
    // Where in a window's part the next run begins.
    var place = WindowPlace()

    func position(_ virtual: VirtualAddress, level: Int) -> Int {
      let number = geometry.input(virtual) >> UInt64(granule.entryShift(atLevel: level))
      return current[level + 1] + Int(number & UInt64(entries - 1))
    }

    visit(
      table: { level, virtual in
        if level > geometry.startLevel {
          let entry = position(virtual, level: level - 1)
          words.appendZeros(upTo: entry + 1)
          words[entry] =
            TableDescriptor(
              nextLevelTable: base + UInt64((next - first) * 8), geometry: geometry
            ).rawValue
        }
        words.appendZeros(upTo: next)
        current[level + 1] = next
        next += entries
      },
      run: { run in
        if run.kind != kind {
          kind = run.kind
          attributes = LeafAttributes(kind, regime: regime, geometry: geometry)
        }
        let start = position(run.virtual, level: run.level)
        words.appendZeros(upTo: start)
        if let part = run.part {
          append(run.count, of: part, at: &place, attributes, to: &words)
        } else {
          put(run, attributes, into: &words, from: start)
        }
      })
    words.appendZeros(upTo: next)
  }

  /// Entries that map as much each, one behind the other: over zeros, or behind all that is there.
  private func put(
    _ run: Run, _ attributes: LeafAttributes, into words: inout [UInt64], from start: Int
  ) {
    words.appendZeros(upTo: start + run.count)
    var entries = words.mutableSpan
    let size: UInt64 = 1 << UInt64(geometry.granule.entryShift(atLevel: run.level))
    var physical = run.physical
    for index in start..<start + run.count {
      entries[index] =
        run.level == Granule.lastLevel
        ? PageDescriptor(
          outputAddress: physical, geometry: geometry, attributes: attributes
        ).rawValue
        : BlockDescriptor(
          outputAddress: physical, geometry: geometry, attributes: attributes
        ).rawValue
      physical = PhysicalAddress(physical.rawValue &+ size)
    }
  }

  /// A place in the ranges of a window's part.
  private struct WindowPlace {
    var part = -1
    /// The range behind the one that is under way; of that one, what is left.
    var range = 0
    var next: UInt64 = 0
    var end: UInt64 = 0
  }

  /// The next `count` entries of a window's part: a few instructions for a page, wherever it lies.
  private func append(
    _ count: Int, of part: Int, at place: inout WindowPlace, _ attributes: LeafAttributes,
    to words: inout [UInt64]
  ) {
    if place.part != part { place = WindowPlace(part: part, range: parts[part].firstRange) }
    let all = parts[part].ranges
    let size = geometry.granule.pageSize
    // Addresses of 48 bits stand in a descriptor where they are.
    let empty = PageDescriptor(
      outputAddress: PhysicalAddress(0), geometry: geometry, attributes: attributes
    ).rawValue
    let isInPlace = geometry.format == .bits48
    var range = place.range
    var next = place.next
    var end = place.end
    words.append(addingCapacity: count) { entries in
      // Sound, all: a part has as many bytes as its ranges from the first on, so as many entries as
      // are asked for are put down, and no range behind its last is looked at.
      unsafe entries.withUnsafeMutableBufferPointer { entries, written in
        unsafe all.withUnsafeBufferPointer { ranges in
          while written < count {
            // Pages that lie alone, most of all.
            if isInPlace, next == end {
              let most = min(count - written, ranges.count - range)
              var index = 0
              while index < most {
                let alone = unsafe ranges[range &+ index]
                guard alone.size == size else { break }
                unsafe entries[written &+ index] = empty | alone.start.rawValue
                index &+= 1
              }
              written &+= index
              range &+= index
              if written == count { return }
            }
            while next == end {
              next = unsafe ranges[range].start.rawValue
              end = unsafe next &+ ranges[range].size
              range &+= 1
            }
            while written < count, next != end {
              unsafe entries[written] =
                isInPlace
                ? empty | next
                : PageDescriptor(
                  outputAddress: PhysicalAddress(next), geometry: geometry, attributes: attributes
                ).rawValue
              written &+= 1
              next &+= size
            }
          }
        }
      }
    }
    place.range = range
    place.next = next
    place.end = end
  }
}

extension [UInt64] {
  /// Appends zeros until there are `count` words; nothing where there are as many.
  fileprivate mutating func appendZeros(upTo count: Int) {
    guard self.count < count else { return }
    let missing = count - self.count
    append(addingCapacity: missing) { $0.append(repeating: 0, count: missing) }
  }
}
