import ArmTranslation
import PhysicalMemory
import TestSupport

/// A random list of disjoint mappings, and what follows from it by definition.
struct RandomMap {
  let granule: Granule
  let format: AddressFormat
  let range: AddressRange
  /// In ascending order of virtual addresses; none is empty, neighbours may be continuous.
  let mappings: [Mapping]

  init(_ machine: Machine, using generator: inout SeededGenerator) {
    granule = machine.granule
    format = machine.format
    range = machine.range
    let page = granule.pageSize
    // What one entry of level 2, 1 and 0 covers.
    let unit = page * (page / 8)
    let large = unit * (page / 8)
    // The block that only the large format has.
    let huge = granule == .size4K ? large * (page / 8) : large
    let isLarge = format == .bits52
    var mappings: [Mapping] = []
    let highest: UInt64 = isLarge && Bool.random(using: &generator) ? 1 << 51 : 1 << 41
    var virtual =
      Bool.random(using: &generator)
      ? 0 : UInt64.random(in: 0..<highest / page, using: &generator) * page
    let units = UInt64.random(in: 1...3, using: &generator)
    for _ in 0..<Int.random(in: 1...10, using: &generator) {
      let kind = MemoryKind.allCases.randomElement(using: &generator) ?? .data
      var size = UInt64.random(in: 1...12, using: &generator) * page
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: size = UInt64.random(in: 1...units, using: &generator) * unit
      case 1, 2: size += UInt64.random(in: 1...units, using: &generator) * unit
      case 3 where granule == .size4K:
        size = UInt64.random(in: 1...3, using: &generator) * large
        virtual = (virtual + large - 1) / large * large
      case 4 where isLarge:
        size = huge
        virtual = (virtual + huge - 1) / huge * huge
      default: break
      }
      if Int.random(in: 0..<3, using: &generator) == 0 {
        virtual = (virtual + unit - 1) / unit * unit
      }
      // From virtual to physical; none where a mapping can go on. Whole pages only for what does
      // not take a million of them.
      var offset: UInt64 = 0
      switch Int.random(in: 0..<6, using: &generator) {
      case 0 where size < huge || granule != .size4K:
        offset = UInt64.random(in: 1...64, using: &generator) * unit
      case 1 where size < large: offset = UInt64.random(in: 1...4096, using: &generator) * page
      default: break
      }
      if let range = PhysicalRange(start: PhysicalAddress(virtual + offset), size: size) {
        mappings.append(Mapping(range, at: VirtualAddress(virtual), as: kind))
      }
      virtual += size
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: virtual += UInt64.random(in: 1...3, using: &generator) * page
      case 1: virtual += UInt64.random(in: 1...600, using: &generator) * unit
      default: break
      }
    }
    guard range == .upper else {
      self.mappings = mappings
      return
    }
    // The same from the top down: as far below as it likes.
    var bits = 25
    while virtual >= 1 << UInt64(bits) { bits += 1 }
    bits = Int.random(in: bits...format.bits, using: &generator)
    self.mappings = mappings.map {
      Mapping(
        $0.physical, at: VirtualAddress($0.virtualStart.rawValue &- 1 << UInt64(bits)), as: $0.kind)
    }
  }

  /// The same map, declared in other pieces and in another order.
  func redeclared(using generator: inout SeededGenerator) -> [Mapping] {
    var pieces: [Mapping] = []
    for mapping in mappings {
      let pages = mapping.physical.size / granule.pageSize
      let cut = UInt64.random(in: 0...pages, using: &generator) * granule.pageSize
      let middle = mapping.physical.start + cut
      pieces.append(
        Mapping(
          PhysicalRange(mapping.physical.start, upTo: middle), at: mapping.virtualStart,
          as: mapping.kind))
      pieces.append(
        Mapping(
          PhysicalRange(middle, upTo: mapping.physical.end),
          at: VirtualAddress(mapping.virtualStart.rawValue + cut), as: mapping.kind))
    }
    return pieces.shuffled(using: &generator)
  }

  func end(of mapping: Mapping) -> UInt64 {
    mapping.virtualStart.rawValue + mapping.physical.size
  }

  /// What `virtual` is to be translated to, or nil in a hole.
  func expected(_ virtual: UInt64) -> (physical: PhysicalAddress, kind: MemoryKind)? {
    for mapping in mappings
    where mapping.virtualStart.rawValue <= virtual && virtual < end(of: mapping) {
      return (mapping.physical.start + (virtual - mapping.virtualStart.rawValue), mapping.kind)
    }
    return nil
  }

  /// The smallest number of tables that can express the map, from the definition: a table is
  /// needed wherever a part of the address space is mapped but not as one entry.
  var fewestTables: Int {
    let top = mappings.map(end(of:)).max() ?? 0
    let bottom = mappings.map(\.virtualStart.rawValue).min() ?? 0
    var inputBits = 25
    switch range {
    case .lower: while top > 1 << UInt64(inputBits) { inputBits += 1 }
    case .upper: while bottom < 0 &- 1 << UInt64(inputBits) { inputBits += 1 }
    }
    var level = 3
    while granule.shift + (4 - level) * (granule.shift - 3) < inputBits { level -= 1 }
    let start: UInt64 = range == .lower ? 0 : 0 &- 1 << UInt64(inputBits)
    return tables(level: level, start: start, parts: mappings[...])
  }

  private func tables(level: Int, start: UInt64, parts: ArraySlice<Mapping>) -> Int {
    guard level < 3 else { return 1 }
    let size: UInt64 = 1 << UInt64(granule.shift + (3 - level) * (granule.shift - 3))
    let mayBlock = level >= (granule == .size4K ? 1 : 2) - (format == .bits52 ? 1 : 0)
    var count = 1
    var entries = Set<UInt64>()
    for part in parts {
      let from = max(part.virtualStart.rawValue, start)
      let (limit, isBeyond) = start.addingReportingOverflow(size * (granule.pageSize / 8))
      let to = isBeyond ? end(of: part) : min(end(of: part), limit)
      guard from < to else { continue }
      entries.formUnion(Set(from / size...(to - 1) / size))
    }
    for entry in entries {
      let from = entry * size
      let last = from + (size - 1)
      let inside = parts.filter {
        $0.virtualStart.rawValue <= last && end(of: $0) > from
      }
      // One entry does where all of it is mapped, in step and as one kind.
      var covered = from
      var isUniform = true
      for part in inside {
        let delta = part.physical.start.rawValue &- part.virtualStart.rawValue
        isUniform =
          isUniform && max(part.virtualStart.rawValue, from) == covered && delta % size == 0
          && part.kind == inside.first?.kind
          && delta
            == (inside.first.map { $0.physical.start.rawValue &- $0.virtualStart.rawValue })
        covered = min(end(of: part) - 1, last) &+ 1
      }
      if mayBlock && isUniform && covered &- from == size { continue }
      count += tables(level: level + 1, start: from, parts: inside[...])
    }
    return count
  }
}
