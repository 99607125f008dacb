import BootFormats
import PhysicalMemory
import Testing

struct DeviceTreeEditingTests {
  @Test("An edit changes what it names and nothing else, as dtc sees it")
  func oneProperty() throws {
    let blob = try DeviceTreeCompiler.compile(sampleMachine)
    var tree = try parse(blob)
    let psci = try #require(tree.node(at: "/psci"))
    tree.setProperty("method", of: psci, to: .init("hvc"))
    let before = try DeviceTreeCompiler.decompile(blob)
    let after = try DeviceTreeCompiler.decompile(tree.serialized())
    #expect(before.contains(#"method = "smc""#))
    #expect(after == before.replacing(#"method = "smc""#, with: #"method = "hvc""#))
  }

  @Test("fdtget finds added nodes and properties, and no removed ones")
  func nodes() throws {
    var tree = try tree(sampleMachine)
    let memory = tree.addNode("memory@80000000", under: tree.root)
    tree.setProperty("device_type", of: memory, to: .init("memory"))
    var value = DeviceTree.PropertyValue(bytes: [])
    value.append(0x8000_0000, cellCount: 2)
    value.append(0x1000_0000, cellCount: 2)
    tree.setProperty("reg", of: memory, to: value)
    let timer = try #require(tree.node(at: "/timer"))
    tree.removeProperty("always-on", of: timer)
    let soc = try #require(tree.node(at: "/soc"))
    tree.removeNode(soc)
    #expect(tree.node(at: "/soc") == nil)

    let blob = try tree.serialized()
    #expect(
      try DeviceTreeCompiler.get(blob, ["-t", "x"], ["/memory@80000000", "reg"])
        == ["0 80000000 0 10000000"])
    #expect(try !DeviceTreeCompiler.get(blob, ["-p"], ["/timer"]).contains("always-on"))
    #expect(try !DeviceTreeCompiler.get(blob, ["-l"], ["/"]).contains("soc@80000000"))
    #expect(try tree.memory().contains(PhysicalAddress(0x8fff_ffff)))
  }

  @Test("Of two properties with one name the first is read and set; removing takes both")
  func duplicateProperties() throws {
    var blob = try DeviceTreeCompiler.compile(#"/dts-v1/; / { aa = "1"; ab = "2"; };"#)
    // Turn the name "ab" into a second "aa" where it stands, among the strings at the end.
    let index = try #require(blob.lastIndex(of: 0x62))
    blob[index] = 0x61
    var tree = try parse(blob)
    #expect(tree.properties(of: tree.root).map(\.value.string) == ["1", "2"])
    #expect(content(of: try parse(tree.serialized())) == content(of: tree))
    tree.setProperty("aa", of: tree.root, to: .init("3"))
    #expect(tree.properties(of: tree.root).map(\.value.string) == ["3", "2"])
    tree.removeProperty("aa", of: tree.root)
    #expect(tree.properties(of: tree.root).isEmpty)
  }

  @Test("The next kernel's command line, initrd and seeds are what fdtget finds")
  func chosen() throws {
    // With and without a /chosen to begin with.
    for source in [sampleMachine, "/dts-v1/; / { };"] {
      var tree = try tree(source)
      tree.setBootArguments("console=ttyAMA0 root=/dev/vda".utf8)
      tree.setInitialRAMDisk(
        PhysicalRange(start: PhysicalAddress(0x1_4800_0000), size: 0x12_3456))
      tree.setSeeds(kaslr: 0x0123_4567_89ab_cdef, random: [1, 2, 3])
      let blob = try tree.serialized()
      func get(_ type: String, _ name: String) throws -> [String] {
        try DeviceTreeCompiler.get(blob, ["-t", type], ["/chosen", name])
      }
      #expect(try get("s", "bootargs") == ["console=ttyAMA0 root=/dev/vda"])
      #expect(try get("x", "linux,initrd-start") == ["1 48000000"])
      #expect(try get("x", "linux,initrd-end") == ["1 48123456"])
      #expect(try get("x", "kaslr-seed") == ["1234567 89abcdef"])
      #expect(try get("bx", "rng-seed") == ["1 2 3"])
      #expect(tree.bootArguments == Array("console=ttyAMA0 root=/dev/vda".utf8))
      #expect(
        tree.initialRAMDisk == PhysicalRange(start: PhysicalAddress(0x1_4800_0000), size: 0x12_3456)
      )
      tree.setInitialRAMDisk(nil)
      #expect(tree.initialRAMDisk == nil)
    }
  }

  @Test("A command line ends at its first NUL, so that the kernel and the reader agree")
  func commandLineWithNUL() {
    var tree = DeviceTree()
    tree.setBootArguments([0x61, 0, 0x62])
    #expect(tree.bootArguments == [0x61])
    #expect(tree.node(at: "/chosen").flatMap { tree.property("bootargs", of: $0) }?.string == "a")
  }

  @Test("What holds for the running kernel only goes, with its reservations; UEFI's stays")
  func staleProperties() throws {
    var tree = try tree(sampleMachine)
    #expect(tree.reservations.count == 2)
    tree.removeStaleProperties()
    let chosen = try #require(tree.node(at: "/chosen"))
    #expect(
      tree.properties(of: chosen).map { String(decoding: $0.name, as: UTF8.self) } == [
        "bootargs", "stdout-path", "linux,uefi-system-table", "linux,uefi-mmap-size",
      ])
    // The crash core's was its very bytes; the other is larger than the old initrd's pages.
    #expect(
      tree.reservations == [PhysicalRange(start: PhysicalAddress(0x4800_0000), size: 0x20_0000)])
  }

  @Test("A reservation of the old initrd's pages goes with it")
  func initialRAMDiskReservation() throws {
    var tree = DeviceTree()
    let disk = PhysicalRange(start: PhysicalAddress(0x4800_0000), size: 0x12_3456)
    tree.setInitialRAMDisk(disk)
    let pages = try #require(disk?.alignedOutward(to: 4096))
    tree.reservations = [pages]
    tree.removeStaleProperties()
    #expect(tree.reservations.isEmpty)
    #expect(tree.initialRAMDisk == nil)
  }
}
