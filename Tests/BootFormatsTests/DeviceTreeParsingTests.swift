import BootFormats
import Foundation
import PhysicalMemory
import TestSupport
import Testing

struct DeviceTreeParsingTests {
  @Test("dtc sees no difference between a blob and what is written after reading it")
  func unchangedForCompiler() throws {
    let blob = try DeviceTreeCompiler.compile(sampleMachine)
    let written = try parse(blob).serialized()
    #expect(
      try DeviceTreeCompiler.decompile(written) == DeviceTreeCompiler.decompile(blob))
    #expect(written.count % 8 == 0)
  }

  @Test("fdtget finds the same children, properties and bytes everywhere")
  func sameAsFDTGet() throws {
    let blob = try DeviceTreeCompiler.compile(sampleMachine)
    let tree = try parse(blob)
    for path in ["/", "/chosen", "/soc@80000000", "/soc@80000000/bridge@100000", "/timer"] {
      let node = try #require(tree.node(at: path))
      #expect(
        try DeviceTreeCompiler.get(blob, ["-l"], [path])
          == tree.children(of: node).map { tree.name(of: $0) }, "\(path)")
      #expect(
        try DeviceTreeCompiler.get(blob, ["-p"], [path])
          == tree.properties(of: node).map { String(decoding: $0.name, as: UTF8.self) }, "\(path)")
      for property in tree.properties(of: node) where !property.value.bytes.isEmpty {
        let name = String(decoding: property.name, as: UTF8.self)
        let text = property.value.bytes.map { String($0, radix: 16) }.joined(separator: " ")
        #expect(
          try DeviceTreeCompiler.get(blob, ["-t", "bx"], [path, name]) == [text],
          "\(path) \(name)")
      }
    }
  }

  @Test("Reservations and the booting CPU are read and written")
  func header() throws {
    let tree = try tree("/dts-v1/; /memreserve/ 0x1000 0x2000; / { };")
    #expect(tree.reservations == [PhysicalRange(start: PhysicalAddress(0x1000), size: 0x2000)])
    var changed = tree
    changed.bootCPU = 0x103
    changed.reservations.append(PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(0x800)))
    let read = try parse(changed.serialized())
    #expect(read.bootCPU == 0x103)
    #expect(read.reservations == changed.reservations)
  }

  @Test("Room for later edits is counted in totalsize and read over")
  func room() throws {
    let tree = try tree(sampleMachine)
    let (plain, roomy) = (try tree.serialized(), try tree.serialized(room: 4096))
    #expect(roomy.count == plain.count + 4096)
    #expect(roomy[4..<8].reduce(0) { $0 << 8 | Int($1) } == roomy.count)
    #expect(content(of: try parse(roomy)) == content(of: tree))
  }

  @Test("Bytes after the tree are not looked at")
  func trailingBytes() throws {
    let blob = try DeviceTreeCompiler.compile(sampleMachine)
    let padded = blob + [UInt8](repeating: 0xff, count: 4096)
    #expect(content(of: try parse(padded)) == content(of: try parse(blob)))
  }

  @Test("Random trees, with nodes of the same name, come back as they were")
  func randomTrees() throws {
    for seed in 0..<200 as Range<UInt64> {
      let tree = randomTree(seed: seed)
      let blob = try tree.serialized()
      let read = try parse(blob)
      #expect(content(of: read) == content(of: tree), "seed \(seed)")
      // Written again, nothing changes any more.
      #expect(try read.serialized() == blob, "seed \(seed)")
    }
  }

  @Test("What is written of random trees, dtc can read")
  func randomTreesForCompiler() throws {
    for seed in 0..<10 as Range<UInt64> {
      _ = try DeviceTreeCompiler.decompile(randomTree(seed: seed, uniqueNames: true).serialized())
    }
  }

  @Test("A tree of a megabyte is read and written at once")
  func largeTree() throws {
    var tree = DeviceTree()
    for number in 0..<15_000 {
      let node = tree.addNode("device@\(number)", under: tree.root)
      for property in 0..<3 {
        tree.setProperty(
          "property-\(number % 500)-\(property)", of: node, to: .init(UInt64(number)))
      }
    }
    let blob = try tree.serialized()
    #expect(blob.count > 1 << 20)
    // Of this thread alone, however busy the machine is. Quadratic work would take minutes.
    let start = try Self.processorSeconds()
    #expect(try parse(blob).serialized() == blob)
    #expect(try Self.processorSeconds() - start < 60)
  }

  private static func processorSeconds() throws -> Int {
    var time = timespec()
    // Sound: the call fills the structure.
    try #require(unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0)
    return time.tv_sec
  }

  @Test("What the children of a bus have in common is not looked for again for each of them")
  func manyChildrenOfBusesWithManyProperties() throws {
    // Each of the children's addresses takes two properties of the bus, which come last of many: thousands
    // of millions of comparisons, which take minutes.
    let (children, properties) = (20_000, 100_000)
    var blob = FlattenedTreeText()
    blob.begin("")
    for _ in 0..<properties { blob.property("p", []) }
    blob.property("#address-cells", [2])
    blob.property("#size-cells", [1])
    func addChildren(_ name: String) {
      for number in 0..<UInt32(children) {
        blob.begin("\(name)@\(number)")
        blob.property("device_type", text: name)
        blob.property("reg", [0, 0x4000_0000 + number << 12, 0x800])
        blob.end()
      }
    }
    addChildren("memory")
    blob.begin("reserved-memory")
    for _ in 0..<properties { blob.property("p", []) }
    blob.property("ranges", [])
    blob.property("#address-cells", [2])
    blob.property("#size-cells", [1])
    addChildren("kept")
    blob.end()
    blob.end()
    let start = try Self.processorSeconds()
    let tree = try parse(blob.bytes)
    #expect(try tree.memory().ranges.count == children)
    #expect(try tree.reservedMemory().count == children)
    #expect(try Self.processorSeconds() - start < 60)
  }

  private func randomTree(seed: UInt64, uniqueNames: Bool = false) -> DeviceTree {
    var generator = SeededGenerator(seed: seed)
    var tree = DeviceTree()
    var nodes = [tree.root]
    for number in 0..<Int.random(in: 0...40, using: &generator) {
      let parent = nodes.randomElement(using: &generator) ?? tree.root
      let isPlain = !uniqueNames && Bool.random(using: &generator)
      nodes.append(tree.addNode(isPlain ? "n" : "n@\(number)", under: parent))
    }
    for node in nodes {
      for number in 0..<Int.random(in: 0...5, using: &generator) {
        let bytes = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
        tree.setProperty("p\(number)", of: node, to: .init(bytes: bytes))
      }
    }
    for _ in 0..<Int.random(in: 0...3, using: &generator) {
      let start = UInt64.random(in: 1...1 << 48, using: &generator)
      tree.reservations.append(
        PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(start + 4096)))
    }
    return tree
  }
}
