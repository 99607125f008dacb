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

/// A flattened device tree read where it lies: places in a blob, which every call is given anew, and
/// no copies. What holds large values (a FIT image) is read by this alone; `DeviceTree` is built
/// from it.
struct FlattenedTree: Sendable, Hashable {
  static var magic: UInt32 { 0xd00d_feed }
  static var headerSize: Int { 40 }
  /// Deeper nesting is refused, as Linux does.
  static var depthLimit: Int { 64 }
  /// The longest name of a property, in bytes without its terminator. The specification allows 31,
  /// real trees have some more. Many properties may share one name: without a limit a small blob
  /// could ask for any amount of time and memory.
  static var propertyNameLimit: Int { 255 }

  enum Token {
    static var beginNode: UInt32 { 1 }
    static var endNode: UInt32 { 2 }
    static var property: UInt32 { 3 }
    static var nop: UInt32 { 4 }
    static var end: UInt32 { 9 }
  }

  /// In bytes, as the header says; the blob has at least as many.
  let totalSize: Int
  let structure: Range<Int>
  let strings: Range<Int>
  let reservationsOffset: UInt32
  let bootCPU: UInt32

  /// Reads the header. `blob` may be longer than the tree; it need not be aligned.
  init(header blob: RawSpan) throws(DeviceTreeError) {
    guard blob.byteCount >= Self.headerSize else { throw .tooShort(size: blob.byteCount) }
    // The header's 40 bytes are there.
    func field(_ index: Int) -> UInt32 { blob.bigEndian(UInt32.self, at: 4 * index) ?? 0 }
    guard field(0) == Self.magic else { throw .badMagic(field(0)) }
    guard field(5) >= 17, field(6) <= 17 else {
      throw .unsupportedVersion(version: field(5), lastCompatible: field(6))
    }
    guard field(1) <= blob.byteCount, field(1) >= Self.headerSize else {
      throw .badTotalSize(totalSize: field(1), available: blob.byteCount)
    }
    totalSize = Int(field(1))
    reservationsOffset = field(4)
    bootCPU = field(7)
    structure = try Self.block(.structure, offset: field(2), size: field(9), of: totalSize)
    guard field(2) % 4 == 0 else { throw .misaligned(.structure, offset: field(2)) }
    strings = try Self.block(.strings, offset: field(3), size: field(8), of: totalSize)
  }

  static func block(
    _ block: DeviceTreeError.Block, offset: UInt32, size: UInt32, of totalSize: Int
  ) throws(DeviceTreeError) -> Range<Int> {
    guard offset >= headerSize, UInt64(offset) + UInt64(size) <= UInt64(totalSize) else {
      throw .blockOutOfBounds(block, offset: offset, size: size)
    }
    return Int(offset)..<Int(offset) + Int(size)
  }

  /// What stands in the structure block; ranges are in the blob, names without terminators.
  enum Item {
    case beginNode(name: Range<Int>)
    case endNode
    case property(name: Range<Int>, value: Range<Int>)
    case end
  }

  /// A place in the structure block, and what may follow there.
  struct Cursor: Sendable {
    fileprivate(set) var position: Int
    /// Nodes that are open.
    fileprivate(set) var depth = 0
    private var rootSeen = false
    /// The specification puts properties before children: only so can they be written back as they
    /// were.
    private var allowsProperties = false

    init(_ tree: FlattenedTree) {
      position = tree.structure.lowerBound
    }

    /// Goes on inside the node that begins at `node`, behind its name.
    fileprivate init(inside node: Int) {
      position = node
      depth = 1
      rootSeen = true
      allowsProperties = true
    }

    /// The next item of `tree`, which lies in `blob`. After `.end` there is none.
    mutating func next(
      _ tree: FlattenedTree, in blob: RawSpan
    ) throws(DeviceTreeError) -> Item {
      var start = position
      var token = try word(tree, blob)
      while token == Token.nop {
        start = position
        token = try word(tree, blob)
      }
      switch token {
      case Token.beginNode:
        guard let end = blob.terminator(from: position, upTo: tree.structure.upperBound) else {
          throw .unterminatedName(offset: position)
        }
        guard depth > 0 || !rootSeen else { throw .misplacedToken(token, offset: start) }
        guard depth < FlattenedTree.depthLimit else { throw .tooDeep(offset: start) }
        let name = position..<end
        position = (end + 4) & ~3
        depth += 1
        rootSeen = true
        allowsProperties = true
        return .beginNode(name: name)

      case Token.endNode:
        guard depth > 0 else { throw .misplacedToken(token, offset: start) }
        depth -= 1
        allowsProperties = false
        return .endNode

      case Token.property:
        let length = try word(tree, blob)
        let nameOffset = try word(tree, blob)
        guard depth > 0, allowsProperties else { throw .misplacedToken(token, offset: start) }
        guard Int(length) <= tree.structure.upperBound - position else {
          throw .propertyOutOfBounds(length: length, offset: start)
        }
        let nameStart = tree.strings.lowerBound + Int(nameOffset)
        guard nameStart < tree.strings.upperBound,
          let nameEnd = blob.terminator(
            from: nameStart,
            upTo: min(
              tree.strings.upperBound, nameStart + FlattenedTree.propertyNameLimit + 1))
        else { throw .badPropertyName(nameOffset: nameOffset, offset: start) }
        let value = position..<position + Int(length)
        position = (position + Int(length) + 3) & ~3
        return .property(name: nameStart..<nameEnd, value: value)

      case Token.end:
        guard depth == 0, rootSeen else { throw .misplacedToken(token, offset: start) }
        return .end

      default:
        throw .unknownToken(token, offset: start)
      }
    }

    private mutating func word(
      _ tree: FlattenedTree, _ blob: RawSpan
    ) throws(DeviceTreeError) -> UInt32 {
      guard position + 4 <= tree.structure.upperBound,
        let word = blob.bigEndian(UInt32.self, at: position)
      else { throw .truncatedStructure(offset: position) }
      position += 4
      return word
    }
  }
}

extension FlattenedTree {
  /// A node: its name, and the place behind it.
  struct Node: Sendable, Hashable {
    let name: Range<Int>
    fileprivate let content: Int
  }

  /// Reads the header and walks through all of the structure, so that nothing found later is
  /// malformed.
  ///
  /// Linear in the structure's size, but for the values, which are not looked at.
  init(parsing blob: RawSpan) throws(DeviceTreeError) {
    self = try FlattenedTree(header: blob)
    var cursor = Cursor(self)
    while true {
      if case .end = try cursor.next(self, in: blob) { return }
    }
  }

  /// The root of a tree that was walked through.
  func root(in blob: RawSpan) -> Node? {
    var cursor = Cursor(self)
    guard case .beginNode(let name) = try? cursor.next(self, in: blob) else { return nil }
    return Node(name: name, content: cursor.position)
  }

  /// The value of the node's first property of that name.
  func property(_ name: StaticString, of node: Node, in blob: RawSpan) -> Range<Int>? {
    var cursor = Cursor(inside: node.content)
    while case .property(let found, let value) = try? cursor.next(self, in: blob) {
      if found.count == name.utf8CodeUnitCount, blob.hasText(name, at: found.lowerBound) {
        return value
      }
    }
    return nil
  }

  /// The node's first child for which `isWanted` says so.
  func child(
    of node: Node, in blob: RawSpan, where isWanted: (Node) -> Bool
  ) -> Node? {
    var cursor = Cursor(inside: node.content)
    while let item = try? cursor.next(self, in: blob), cursor.depth > 0 {
      guard case .beginNode(let name) = item, cursor.depth == 2 else { continue }
      let child = Node(name: name, content: cursor.position)
      if isWanted(child) { return child }
    }
    return nil
  }

  /// The node's child of exactly that name.
  func child(_ name: StaticString, of node: Node, in blob: RawSpan) -> Node? {
    child(of: node, in: blob) {
      $0.name.count == name.utf8CodeUnitCount && blob.hasText(name, at: $0.name.lowerBound)
    }
  }
}

extension RawSpan {
  /// Where the next zero byte is, from `start` on and before `end`.
  fileprivate func terminator(from start: Int, upTo end: Int) -> Int? {
    var position = start
    while position < end, let byte = byte(at: position) {
      if byte == 0 { return position }
      position += 1
    }
    return nil
  }
}
