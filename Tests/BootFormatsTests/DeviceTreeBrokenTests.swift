import BootFormats
import TestSupport
import Testing

/// Everything that is asked of a tree; what it answers does not matter here, only that it does.
private func exercise(_ tree: DeviceTree) {
  for node in tree.allNodes {
    _ = tree.path(of: node)
    _ = try? tree.physicalRanges(of: node)
    for property in tree.properties(of: node) {
      _ = property.value.cells
      _ = property.value.strings
    }
  }
  _ = try? tree.console()
  _ = try? tree.psci()
  _ = try? tree.armTimerInterrupts()
  _ = try? tree.memory()
  _ = try? tree.reservedMemory()
  var edited = tree
  edited.removeStaleProperties()
  edited.setBootArguments("quiet".utf8)
  edited.setInitialRAMDisk(nil)
  _ = try? edited.serialized()
}

struct DeviceTreeBrokenTests {
  /// A small blob whose layout is known: header, an empty list of reservations at 40, structure at
  /// 56, strings after it.
  ///
  ///     56  BEGIN_NODE ""    64  PROP 4 0 <1>    80  BEGIN_NODE "n"    88  END_NODE
  ///     92  END_NODE         96  END             100 "aa"
  let blob: [UInt8]

  init() throws {
    var tree = DeviceTree()
    tree.setProperty("aa", of: tree.root, to: .init(1 as UInt32))
    tree.addNode("n", under: tree.root)
    blob = try tree.serialized()
  }

  private func changed(_ offset: Int, to word: UInt32) -> [UInt8] {
    var blob = blob
    for index in 0..<4 {
      blob[offset + index] = UInt8(truncatingIfNeeded: word >> (24 - 8 * UInt32(index)))
    }
    return blob
  }

  @Test(
    "Each field that makes no sense is refused, with the value and the place",
    arguments: [
      (0, 0xd00d_feee, .badMagic(0xd00d_feee)),
      (4, 0x1000, .badTotalSize(totalSize: 0x1000, available: 104)),
      (4, 39, .badTotalSize(totalSize: 39, available: 104)),
      (8, 0x1000, .blockOutOfBounds(.structure, offset: 0x1000, size: 44)),
      (8, 0xffff_fff0, .blockOutOfBounds(.structure, offset: 0xffff_fff0, size: 44)),
      (8, 36, .blockOutOfBounds(.structure, offset: 36, size: 44)),
      (8, 58, .misaligned(.structure, offset: 58)),
      (12, 0x1000, .blockOutOfBounds(.strings, offset: 0x1000, size: 3)),
      (16, 100, .blockOutOfBounds(.reservations, offset: 100, size: 16)),
      (16, 44, .misaligned(.reservations, offset: 44)),
      (16, 72, .unterminatedReservations(offset: 104)),
      (20, 16, .unsupportedVersion(version: 16, lastCompatible: 16)),
      (24, 18, .unsupportedVersion(version: 17, lastCompatible: 18)),
      (32, 5, .blockOutOfBounds(.strings, offset: 100, size: 5)),
      (32, 2, .badPropertyName(nameOffset: 0, offset: 64)),
      (36, 0xffff_ffff, .blockOutOfBounds(.structure, offset: 56, size: 0xffff_ffff)),
      (36, 40, .truncatedStructure(offset: 96)),
      (36, 0, .truncatedStructure(offset: 56)),
      (56, 2, .misplacedToken(2, offset: 56)),
      (56, 3, .misplacedToken(3, offset: 56)),
      (56, 9, .misplacedToken(9, offset: 56)),
      (56, 0x0100_0000, .unknownToken(0x0100_0000, offset: 56)),
      (68, 0xffff_ffff, .propertyOutOfBounds(length: 0xffff_ffff, offset: 64)),
      (68, 25, .propertyOutOfBounds(length: 25, offset: 64)),
      (68, 24, .truncatedStructure(offset: 100)),
      (72, 3, .badPropertyName(nameOffset: 3, offset: 64)),
      (72, 0xffff_ffff, .badPropertyName(nameOffset: 0xffff_ffff, offset: 64)),
      (36, 28, .unterminatedName(offset: 84)),
      (88, 9, .misplacedToken(9, offset: 88)),
      (92, 1, .truncatedStructure(offset: 100)),
      (96, 2, .misplacedToken(2, offset: 96)),
      (96, 4, .truncatedStructure(offset: 100)),
    ] as [(Int, UInt32, DeviceTreeError)])
  func corruptedField(offset: Int, word: UInt32, error: DeviceTreeError) {
    #expect(throws: error) { try parse(changed(offset, to: word)) }
  }

  /// Each use of a name costs its length: a few bytes could ask for gigabytes.
  @Test("A property's name is at most 255 bytes long", arguments: [255, 256])
  func longPropertyName(length: Int) throws {
    var tree = DeviceTree()
    let name = String(repeating: "a", count: length)
    tree.setProperty(name, of: tree.root, to: .init(1 as UInt32))
    let blob = try tree.serialized()
    if length == 255 {
      #expect(try parse(blob).property(name, of: tree.root)?.u32 == 1)
    } else {
      #expect(throws: DeviceTreeError.badPropertyName(nameOffset: 0, offset: 64)) {
        try parse(blob)
      }
    }
  }

  @Test("A reservation that leaves 64 bits is refused")
  func wrappingReservation() throws {
    var blob = try DeviceTreeCompiler.compile("/dts-v1/; /memreserve/ 0x1000 0x2000; / { };")
    for index in 48..<56 { blob[index] = 0xff }
    #expect(throws: DeviceTreeError.reservationWraps(offset: 40)) { try parse(blob) }
  }

  @Test("A property after a child is refused")
  func propertyAfterChild() throws {
    var tree = DeviceTree()
    let child = tree.addNode("n", under: tree.root)
    tree.setProperty("aa", of: child, to: .init(1 as UInt32))
    var blob = try tree.serialized()
    // The child's property is at 72 and its END_NODE at 88: put the END_NODE first.
    blob.replaceSubrange(72..<92, with: blob[88..<92] + blob[72..<88])
    #expect(throws: DeviceTreeError.misplacedToken(3, offset: 76)) { try parse(blob) }
  }

  @Test("A second root is refused")
  func secondRoot() throws {
    var tree = DeviceTree()
    tree.addNode("", under: tree.root)
    var blob = try tree.serialized()
    // The nameless child begins at 64 and ends at 72, the root at 76: end the root first.
    blob.replaceSubrange(64..<76, with: blob[76..<80] + blob[64..<72])
    #expect(throws: DeviceTreeError.misplacedToken(1, offset: 68)) { try parse(blob) }
  }

  @Test("NOPs are read over and not written")
  func nops() throws {
    var blob = changed(80, to: 4)
    for offset in [84, 88] { blob.replaceSubrange(offset..<offset + 4, with: [0, 0, 0, 4]) }
    let tree = try parse(blob)
    #expect(tree.children(of: tree.root).isEmpty)
    #expect(try tree.serialized().count == blob.count - 8)
  }

  @Test("Nesting has a limit, which is not reached by accident")
  func depth() throws {
    func nested(_ depth: Int) throws -> [UInt8] {
      var tree = DeviceTree()
      var node = tree.root
      for _ in 1..<depth { node = tree.addNode("n", under: node) }
      return try tree.serialized()
    }
    _ = try parse(nested(DeviceTree.depthLimit))
    #expect(throws: DeviceTreeError.tooDeep(offset: 56 + 8 * DeviceTree.depthLimit)) {
      try parse(nested(DeviceTree.depthLimit + 1))
    }
    _ = try nested(100_000)
  }

  @Test("Cut off anywhere, a tree is refused")
  func truncated() throws {
    let blob = try DeviceTreeCompiler.compile(sampleMachine)
    for size in 0..<blob.count {
      #expect(throws: DeviceTreeError.self, "\(size)") { try parse(Array(blob.prefix(size))) }
    }
  }

  @Test("Cut off anywhere with a totalsize that agrees, a tree is refused or still whole")
  func truncatedConsistently() throws {
    let whole = try DeviceTreeCompiler.compile(sampleMachine)
    for size in 40..<whole.count {
      var blob = Array(whole.prefix(size))
      for index in 0..<4 {
        blob[4 + index] = UInt8(truncatingIfNeeded: size >> (24 - 8 * index))
      }
      if let tree = try? parse(blob) {
        #expect(content(of: tree) == content(of: try parse(whole)), "\(size)")
      }
    }
  }

  @Test("Whatever bits flip, reading ends in an error or in a tree that can be used and written")
  func randomFlips() throws {
    let whole = try DeviceTreeCompiler.compile(sampleMachine)
    var readable = 0
    for seed in 0..<3000 as Range<UInt64> {
      var generator = SeededGenerator(seed: seed)
      var blob = whole
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        // Half of them in the header, the reservations and the first nodes.
        let bound = Bool.random(using: &generator) ? 200 : blob.count
        blob[Int.random(in: 0..<bound, using: &generator)] ^=
          1
          << UInt8.random(
            in: 0..<8, using: &generator)
      }
      guard let tree = try? parse(blob) else { continue }
      readable += 1
      exercise(tree)
      #expect(content(of: try parse(tree.serialized())) == content(of: tree), "seed \(seed)")
    }
    // Both happened, so that both were tested.
    #expect(readable > 100 && readable < 2900)
  }
}
