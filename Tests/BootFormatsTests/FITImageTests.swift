import BootDigests
import BootFormats
import TestSupport
import Testing

/// FIT images as mkimage makes them.
@Suite struct FITImageTests {
  private static let kernel = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
  private static let initrd = Array("an initrd of odd size.".utf8)
  private static let dtb = Array("a device tree".utf8)

  /// With these hashes, the kernel's before a CRC-32.
  private static func file(
    hash: String = "sha256", kernel: [UInt8] = kernel, _ options: [String] = []
  ) throws -> [UInt8] {
    try FITSource(
      compression: "gzip", kernelHashes: [hash, "crc32"], initrdHashes: [hash], treeHashes: [hash]
    ).image(kernel: kernel, initrd: initrd, tree: dtb, options)
  }

  private func parse(
    _ file: [UInt8], _ configuration: String? = nil
  ) throws(FITError) -> FITImage {
    // Sound: a span of bytes as the bytes that they are.
    try FITImage(
      parsing: unsafe file.span.bytes, configuration: configuration, digestingWith: .portable)
  }

  @Test(arguments: [[], ["-E"], ["-E", "-p", "0x2000"], ["-E", "-B", "0x100"]])
  func `The parts of the default configuration are what mkimage was given`(
    options: [String]
  ) throws {
    let file = try Self.file(options)
    let image = try parse(file)
    #expect(image.configuration == "full")
    #expect(Array(file[image.kernel.data]) == Self.kernel)
    #expect(image.kernel.name == "kernel-1")
    #expect(image.kernel.compression == "gzip")
    #expect(image.kernel.hashCount == 2)
    #expect(Array(file[try #require(image.initrd).data]) == Self.initrd)
    #expect(Array(file[try #require(image.deviceTree).data]) == Self.dtb)
    #expect(!image.hasSignatures)
  }

  @Test func `A configuration is taken by its name`() throws {
    let file = try Self.file()
    let image = try parse(file, "bare")
    #expect(image.configuration == "bare")
    #expect(image.initrd == nil && image.deviceTree == nil)
    #expect(throws: FITError.noSuchConfiguration("non")) { try parse(file, "non") }
  }

  @Test(arguments: ["crc32", "md5", "sha1", "sha256", "sha384", "sha512"])
  func `Each of mkimage's hashes is right, and sees each changed byte`(hash: String) throws {
    let file = try Self.file(hash: hash)
    let image = try parse(file)
    for part in [image.kernel, try #require(image.initrd), try #require(image.deviceTree)] {
      for place in [part.data.lowerBound, part.data.upperBound - 1] {
        var damaged = file
        damaged[place] ^= 0x10
        #expect(throws: FITError.hashMismatch(part.name, algorithm: hash)) { try parse(damaged) }
      }
    }
  }

  @Test func `External data that was cut is missed`() throws {
    let file = try Self.file(["-E"])
    let image = try parse(file)
    let last = try #require(image.deviceTree).data
    // mkimage pads behind the last.
    let cut = Array(file[..<(last.upperBound - 1)])
    #expect(
      throws: FITError.dataOutOfBounds("fdt-1", end: UInt64(last.upperBound), fileSize: cut.count)
    ) { try parse(cut) }
  }

  @Test func `Without a default the only configuration is taken, and none of several`() throws {
    let file = try Self.file()
    var tree = try BootFormatsTests.parse(file)
    let configurations = try #require(tree.node(at: "/configurations"))
    tree.removeProperty("default", of: configurations)
    #expect(throws: FITError.noDefault) { try parse(try tree.serialized()) }
    tree.removeNode(try #require(tree.node(at: "/configurations/full")))
    #expect(try parse(try tree.serialized()).configuration == "bare")
    tree.removeNode(try #require(tree.node(at: "/configurations/bare")))
    #expect(throws: FITError.noConfigurations) { try parse(try tree.serialized()) }
  }

  /// Each hash costs as much as the whole image.
  @Test(arguments: [16, 17])
  func `An image has at most 16 hashes`(count: Int) throws {
    var tree = try BootFormatsTests.parse(try Self.file())
    let image = try #require(tree.node(at: "/images/kernel-1"))
    let hash = try #require(tree.node(at: "/images/kernel-1/hash-2"))
    let value = try #require(tree.property("value", of: hash))
    for number in 3...count {
      let added = tree.addNode("hash-\(number)", under: image)
      tree.setProperty("algo", of: added, to: .init("crc32"))
      tree.setProperty("value", of: added, to: value)
    }
    let file = try tree.serialized()
    if count == 16 {
      #expect(try parse(file).kernel.hashCount == 16)
    } else {
      #expect(throws: FITError.tooManyHashes("kernel-1", limit: 16)) { try parse(file) }
    }
  }

  /// A change of the tree, and what is then said.
  struct Damage: Sendable {
    let path: String
    let property: String
    /// Nil removes it.
    let value: DeviceTree.PropertyValue?
    let error: FITError
  }

  private static func text(_ text: String) -> DeviceTree.PropertyValue { .init(text) }

  @Test(arguments: [
    Damage(
      path: "/configurations", property: "default", value: text("gone"),
      error: .noSuchConfiguration("gone")),
    Damage(
      path: "/configurations/full", property: "kernel", value: nil,
      error: .noKernel(configuration: "full")),
    Damage(
      path: "/configurations/full", property: "kernel", value: text("gone"),
      error: .noSuchImage("gone", configuration: "full")),
    Damage(
      path: "/configurations/full", property: "ramdisk", value: text("fdt-1"),
      error: .wrongType("fdt-1", .initrd)),
    Damage(
      path: "/configurations/full", property: "fdt", value: text("fdt-1\0overlay"),
      error: .severalImages(.deviceTree, configuration: "full")),
    Damage(
      path: "/images/kernel-1", property: "type", value: text("kernel"),
      error: .hashMismatch("", algorithm: "")),
    Damage(
      path: "/images/kernel-1", property: "type", value: text("kern"),
      error: .wrongType("kernel-1", .kernel)),
    Damage(
      path: "/images/kernel-1", property: "arch", value: text("x86_64"),
      error: .wrongArchitecture("kernel-1", "x86_64")),
    Damage(path: "/images/kernel-1", property: "data", value: nil, error: .noData("kernel-1")),
    Damage(
      path: "/images/kernel-1", property: "data", value: .init(bytes: []),
      error: .noData("kernel-1")),
    Damage(
      path: "/images/kernel-1/hash-1", property: "algo", value: nil,
      error: .malformedProperty("algo", image: "kernel-1")),
    Damage(
      path: "/images/kernel-1/hash-2", property: "value", value: nil,
      error: .malformedProperty("value", image: "kernel-1")),
    Damage(
      path: "/images/kernel-1/hash-2", property: "value", value: .init(bytes: [1, 2, 3]),
      error: .hashMismatch("kernel-1", algorithm: "crc32")),
    Damage(
      path: "/images/fdt-1/hash-1", property: "algo", value: text("crc16-ccitt"),
      error: .unknownHash("fdt-1", algorithm: "crc16-ccitt")),
  ])
  func `Each property that makes no sense is named`(damage: Damage) throws {
    var tree = try BootFormatsTests.parse(try Self.file())
    let node = try #require(tree.node(at: damage.path))
    if let value = damage.value {
      tree.setProperty(damage.property, of: node, to: value)
    } else {
      tree.removeProperty(damage.property, of: node)
    }
    let file = try tree.serialized()
    // One of the rows changes nothing: the table itself must be able to fail.
    if damage.error == .hashMismatch("", algorithm: "") {
      #expect(try parse(file).configuration == "full")
    } else {
      #expect(throws: damage.error) { try parse(file) }
    }
  }

  @Test(
    arguments: [
      ("data-size", nil, .noData("kernel-1")),
      ("data-size", 0, .noData("kernel-1")),
      ("data-offset", nil, .noData("kernel-1")),
      ("data-size", 0xffff_ffff, nil), ("data-offset", 0xffff_fffc, nil),
    ] as [(String, UInt32?, FITError?)])
  func `External data that lies nowhere is refused`(
    property: String, value: UInt32?, error: FITError?
  ) throws {
    var tree = DeviceTree()
    let images = tree.addNode("images", under: tree.root)
    let kernel = tree.addNode("kernel-1", under: images)
    tree.setProperty("data-offset", of: kernel, to: .init(0 as UInt32))
    tree.setProperty("data-size", of: kernel, to: .init(4 as UInt32))
    let configurations = tree.addNode("configurations", under: tree.root)
    let only = tree.addNode("only", under: configurations)
    tree.setProperty("kernel", of: only, to: .init("kernel-1"))
    #expect(try parse(tree.serialized() + [1, 2, 3, 4, 5, 6, 7]).kernel.data.count == 4)
    if let value {
      tree.setProperty(property, of: kernel, to: .init(value))
    } else {
      tree.removeProperty(property, of: kernel)
    }
    let file = try tree.serialized() + [1, 2, 3, 4, 5, 6, 7]
    do throws(FITError) {
      _ = try parse(file)
      Issue.record("it was taken")
    } catch let thrown {
      if let error {
        #expect(thrown == error)
      } else if case .dataOutOfBounds("kernel-1", _, file.count) = thrown {
      } else {
        Issue.record("\(thrown)")
      }
    }
  }

  @Test func `A machine's device tree is no FIT image, nor is anything else`() throws {
    var tree = DeviceTree()
    #expect(throws: FITError.noImages) { try parse(try tree.serialized()) }
    tree.addNode("images", under: tree.root)
    #expect(throws: FITError.noConfigurations) { try parse(try tree.serialized()) }
    #expect(throws: FITError.tree(.tooShort(size: 3))) { try parse([1, 2, 3]) }
    #expect(throws: FITError.tree(.badMagic(0))) { try parse([UInt8](repeating: 0, count: 99)) }
  }

  @Test func `A signature is seen`() throws {
    var tree = try BootFormatsTests.parse(try Self.file())
    tree.addNode("signature-1", under: try #require(tree.node(at: "/configurations/full")))
    #expect(try parse(tree.serialized()).hasSignatures)
    #expect(try !parse(tree.serialized(), "bare").hasSignatures)
    tree.addNode("signature-1", under: try #require(tree.node(at: "/images/kernel-1")))
    #expect(try parse(tree.serialized(), "bare").hasSignatures)
  }

  @Test(arguments: [[], ["-E"]])
  func `No truncation and no flipped bit traps or gives other bytes`(options: [String]) throws {
    let kernel = Array("kernel".utf8)
    let file = try Self.file(kernel: kernel, options)
    let whole = try parse(file)
    for count in 0..<file.count {
      let cut = Array(file[..<count])
      guard let image = try? parse(cut) else { continue }
      // mkimage pads behind what it appends.
      #expect(image == whole, "cut to \(count)")
    }
    var generator = SeededGenerator(seed: 0xf17)
    for _ in 0..<2000 {
      var damaged = file
      let place = Int.random(in: 0..<file.count, using: &generator)
      damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      guard let image = try? parse(damaged) else { continue }
      for part in [image.kernel, image.initrd, image.deviceTree].compactMap({ $0 }) {
        #expect(part.data.upperBound <= damaged.count)
        // What still has a hash has its bytes.
        if part.hashCount > 0 {
          #expect(
            [kernel, Self.initrd, Self.dtb].contains(Array(damaged[part.data])), "byte \(place)")
        }
      }
    }
  }
}
