import PhysicalMemory

// A flattened device tree, version 17 (Devicetree Specification v0.4, chapter 5), all numbers
// big-endian:
//
//   ┌──────────────────────┐ 0    magic d00dfeed        20  version (17)
//   │ header, 40 bytes     │ 4    totalsize             24  last_comp_version (16)
//   ├──────────────────────┤ 8    off_dt_struct         28  boot_cpuid_phys
//   │ memory reservations  │ 12   off_dt_strings        32  size_dt_strings
//   ├──────────────────────┤ 16   off_mem_rsvmap        36  size_dt_struct
//   │ structure            │
//   ├──────────────────────┤ reservations: (address, size) as two u64 each, up to (0, 0)
//   │ strings              │ structure: tokens of 4 bytes, everything padded to 4:
//   ├──────────────────────┤   1 BEGIN_NODE name\0   3 PROP length nameoff value   4 NOP
//   │ room                 │   2 END_NODE            9 END
//   └──────────────────────┘ strings: the properties' names, each terminated; nameoff counts from
//                            here

extension DeviceTree {
  static var magic: UInt32 { 0xd00d_feed }
  static var headerSize: Int { 40 }

  enum Token {
    static var beginNode: UInt32 { 1 }
    static var endNode: UInt32 { 2 }
    static var property: UInt32 { 3 }
    static var nop: UInt32 { 4 }
    static var end: UInt32 { 9 }
  }

  /// Reads a flattened tree. `blob` may be longer than the tree; it need not be aligned.
  ///
  /// Linear in the blob's size.
  public init(parsing blob: RawSpan) throws(DeviceTreeError) {
    guard blob.byteCount >= Self.headerSize else { throw .tooShort(size: blob.byteCount) }
    let header = Header(blob)
    guard header.magic == Self.magic else { throw .badMagic(header.magic) }
    guard header.version >= 17, header.lastCompatible <= 17 else {
      throw .unsupportedVersion(version: header.version, lastCompatible: header.lastCompatible)
    }
    guard header.totalSize <= blob.byteCount, header.totalSize >= Self.headerSize else {
      throw .badTotalSize(totalSize: header.totalSize, available: blob.byteCount)
    }
    let tree = blob.extracting(first: Int(header.totalSize))

    self.init()
    bootCPU = header.bootCPU
    reservations = try Self.parseReservations(tree, offset: header.reservationsOffset)
    let structure = try Self.block(
      .structure, of: tree, offset: header.structureOffset, size: header.structureSize)
    guard header.structureOffset % 4 == 0 else {
      throw .misaligned(.structure, offset: header.structureOffset)
    }
    let strings = try Self.block(
      .strings, of: tree, offset: header.stringsOffset, size: header.stringsSize)
    try parseStructure(tree, structure, strings)
  }

  private struct Header {
    let magic, totalSize, structureOffset, stringsOffset, reservationsOffset: UInt32
    let version, lastCompatible, bootCPU, stringsSize, structureSize: UInt32

    /// Reads the header; `blob` has its 40 bytes.
    init(_ blob: RawSpan) {
      func field(_ index: Int) -> UInt32 { blob.bigEndian(UInt32.self, at: 4 * index) ?? 0 }
      magic = field(0)
      totalSize = field(1)
      structureOffset = field(2)
      stringsOffset = field(3)
      reservationsOffset = field(4)
      version = field(5)
      lastCompatible = field(6)
      bootCPU = field(7)
      stringsSize = field(8)
      structureSize = field(9)
    }
  }

  private static func block(
    _ block: DeviceTreeError.Block, of tree: RawSpan, offset: UInt32, size: UInt32
  ) throws(DeviceTreeError) -> Range<Int> {
    guard offset >= headerSize, UInt64(offset) + UInt64(size) <= UInt64(tree.byteCount) else {
      throw .blockOutOfBounds(block, offset: offset, size: size)
    }
    return Int(offset)..<Int(offset) + Int(size)
  }

  private static func parseReservations(
    _ tree: RawSpan, offset: UInt32
  ) throws(DeviceTreeError) -> [PhysicalRange] {
    _ = try block(.reservations, of: tree, offset: offset, size: 16)
    guard offset % 8 == 0 else { throw .misaligned(.reservations, offset: offset) }
    var result: [PhysicalRange] = []
    var position = Int(offset)
    while true {
      guard let address = tree.bigEndian(UInt64.self, at: position),
        let size = tree.bigEndian(UInt64.self, at: position + 8)
      else { throw .unterminatedReservations(offset: position) }
      if address == 0, size == 0 { return result }
      guard let range = PhysicalRange(start: PhysicalAddress(address), size: size) else {
        throw .reservationWraps(offset: position)
      }
      result.append(range)
      position += 16
    }
  }

  private mutating func parseStructure(
    _ tree: RawSpan, _ structure: Range<Int>, _ strings: Range<Int>
  ) throws(DeviceTreeError) {
    var position = structure.lowerBound
    var open: [NodeID] = []
    var rootSeen = false

    func word() throws(DeviceTreeError) -> UInt32 {
      guard position + 4 <= structure.upperBound,
        let word = tree.bigEndian(UInt32.self, at: position)
      else { throw .truncatedStructure(offset: position) }
      position += 4
      return word
    }

    while true {
      let start = position
      let token = try word()
      switch token {
      case Token.nop:
        continue

      case Token.beginNode:
        guard let end = Self.terminator(tree, from: position, upTo: structure.upperBound) else {
          throw .unterminatedName(offset: position)
        }
        let name = tree.copy(position..<end)
        position = (end + 4) & ~3
        if let parent = open.last {
          guard open.count < Self.depthLimit else { throw .tooDeep(offset: start) }
          let node = NodeID(index: nodes.count)
          nodes.append(Node(name: name, parent: parent))
          nodes[parent.index].children.append(node)
          open.append(node)
        } else {
          guard !rootSeen else { throw .misplacedToken(token, offset: start) }
          rootSeen = true
          nodes[root.index].name = name
          open.append(root)
        }

      case Token.endNode:
        guard open.popLast() != nil else { throw .misplacedToken(token, offset: start) }

      case Token.property:
        let length = try word()
        let nameOffset = try word()
        // The specification puts properties before children: only so can they be written back as
        // they were.
        guard let node = open.last, nodes[node.index].children.isEmpty else {
          throw .misplacedToken(token, offset: start)
        }
        guard Int(length) <= structure.upperBound - position else {
          throw .propertyOutOfBounds(length: length, offset: start)
        }
        let nameStart = strings.lowerBound + Int(nameOffset)
        guard nameStart < strings.upperBound,
          let nameEnd = Self.terminator(tree, from: nameStart, upTo: strings.upperBound)
        else { throw .badPropertyName(nameOffset: nameOffset, offset: start) }
        nodes[node.index].properties.append(
          Property(
            name: tree.copy(nameStart..<nameEnd),
            value: PropertyValue(bytes: tree.copy(position..<position + Int(length)))))
        position = (position + Int(length) + 3) & ~3

      case Token.end:
        guard open.isEmpty, rootSeen else { throw .misplacedToken(token, offset: start) }
        return

      default:
        throw .unknownToken(token, offset: start)
      }
    }
  }

  /// Where the next zero byte is, from `start` on and before `end`.
  private static func terminator(_ bytes: RawSpan, from start: Int, upTo end: Int) -> Int? {
    var position = start
    while position < end, let byte = bytes.byte(at: position) {
      if byte == 0 { return position }
      position += 1
    }
    return nil
  }
}
