import BatonCommand
import BootFormats
import LinuxHost
import TestSupport
import Testing

/// Kernels in every format that `--load` takes, by content, and what it says of broken ones.
@Suite struct KernelFormatTests {
  private static let image = FakeLinux.kernelImage

  /// A FIT image of these files, made by mkimage.
  private static func fit(
    _ kernel: [UInt8], compression: String = "none", _ options: [String] = []
  ) throws -> [UInt8] {
    try FITSource(compression: compression).image(
      kernel: kernel, initrd: Array("the FIT image's initrd".utf8),
      tree: try markedTree("fit").serialized(), options)
  }

  /// The machine's tree with something in it to know it by.
  private static func markedTree(_ mark: String) throws -> DeviceTree {
    var tree = FakeLinux.tree()
    tree.setProperty("mark", of: tree.root, to: .init(mark))
    return tree
  }

  private static func unified(_ kernel: [UInt8]) throws -> [UInt8] {
    PEFile.file([
      .init(".sbat", [1, 2, 3]), .init(".cmdline", Array("from the UKI\n".utf8)),
      .init(".dtb", try markedTree("uki").serialized()), .init(".linux", kernel),
      .init(".initrd", Array("the UKI's initrd".utf8)),
    ])
  }

  private static func appended(_ bytes: [UInt8]) -> [UInt8] {
    bytes + (0..<4).map { UInt8(truncatingIfNeeded: image.count >> (8 * $0)) }
  }

  /// A format, and the file that holds the Image in it.
  struct Format: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let file: @Sendable () throws -> [UInt8]

    init(_ name: String, _ file: @escaping @Sendable () throws -> [UInt8]) {
      testDescription = name
      self.file = file
    }
  }

  private static func compressed(_ program: String) throws -> [UInt8] {
    try HostTool.compress(image, by: program)
  }

  static let formats = [
    Format("Image") { image },
    Format("gzip") { try compressed("gzip -9n") },
    Format("zstd") { try compressed("zstd -19") },
    Format("zstd of no told size") { try compressed("zstd -19 --no-check --ultra --long=27") },
    Format("xz") { try compressed("xz -9") },
    Format("xz as the kernel's build calls it") {
      try compressed("xz --check=crc32 --arm --lzma2=dict=32MiB")
    },
    Format("lzma with its size, as the kernel's build appends it") {
      appended(try compressed("xz --format=lzma -9"))
    },
    Format("zstd with its size") { appended(try compressed("zstd -3")) },
    Format("zboot of gzip") {
      PEFile.zboot(try compressed("gzip -9n"), compression: "gzip")
    },
    Format("zboot of zstd") {
      PEFile.zboot(try compressed("zstd -19"), compression: "zstd")
    },
    Format("zboot of xz") {
      PEFile.zboot(try compressed("xz --check=crc32"), compression: "xzkern")
    },
    Format("UKI") { try unified(image) },
    Format("UKI of zboot") {
      try unified(PEFile.zboot(try compressed("zstd -19"), compression: "zstd"))
    },
    Format("UKI of zstd") { try unified(try compressed("zstd")) },
    Format("FIT") { try fit(image) },
    Format("FIT of gzip, its data outside") {
      try fit(try compressed("gzip"), compression: "gzip", ["-E"])
    },
    Format("FIT of zstd") { try fit(try compressed("zstd"), compression: "zstd") },
    Format("FIT in xz") { try HostTool.compress(try fit(image), by: "xz") },
  ]

  private func segments(
    of file: [UInt8], _ options: [String] = [], path: String = "/boot/Image"
  ) throws -> (linux: FakeLinux, segments: [FakeLinux.Segment]) {
    let linux = try FakeLinux.machine()
    linux.files["/boot/Image"] = file
    #expect(Baton.run(["-l", path] + options, system: linux) == .success, "\(linux.complaints)")
    guard case .kexecLoad(.normal, _, let segments) = try #require(linux.effects.first) else {
      throw HostTool.Failure(description: "nothing was loaded")
    }
    return (linux, segments)
  }

  private func tree(in segments: [FakeLinux.Segment]) throws -> DeviceTree {
    let blob = try #require(segments.first { $0.bytes.starts(with: [0xd0, 0x0d, 0xfe, 0xed]) })
    // Sound: a span of bytes as the bytes that they are.
    return try DeviceTree(parsing: unsafe blob.bytes.span.bytes)
  }

  private func mark(_ tree: DeviceTree) -> String? {
    tree.property("mark", of: tree.root)?.string
  }

  private func bootArguments(_ tree: DeviceTree) -> String {
    String(decoding: tree.bootArguments ?? [], as: UTF8.self)
  }

  @Test(arguments: formats)
  func `A kernel in each format is loaded as its Image`(format: Format) throws {
    let (_, segments) = try segments(of: try format.file())
    #expect(segments.contains { $0.bytes == Self.image })
  }

  @Test func `A UKI's parts are used, and each option wins over its part`() throws {
    let file = try Self.unified(Self.image)
    var loaded = try segments(of: file).segments
    #expect(loaded.contains { $0.bytes == Array("the UKI's initrd".utf8) })
    #expect(mark(try tree(in: loaded)) == "uki")
    #expect(bootArguments(try tree(in: loaded)) == "from the UKI")

    loaded = try segments(of: file, ["--append=mine", "--initrd=/boot/initrd"]).segments
    #expect(bootArguments(try tree(in: loaded)) == "mine")
    // Behind the UKI's own, at a multiple of four.
    let own = try #require(FakeLinux.machine().files["/boot/initrd"])
    #expect(loaded.contains { $0.bytes == Array("the UKI's initrd".utf8) + own })

    loaded = try segments(of: file, ["--reuse-cmdline"]).segments
    #expect(bootArguments(try tree(in: loaded)) == "console=ttyAMA0 root=/dev/vda1")

    let linux = try FakeLinux.machine()
    linux.files["/boot/Image"] = file
    linux.files["/boot/dtb"] = try Self.markedTree("mine").serialized()
    #expect(Baton.run(["-l", "/boot/Image", "--dtb=/boot/dtb"], system: linux) == .success)
    guard case .kexecLoad(_, _, let others) = try #require(linux.effects.first) else {
      Issue.record("the first effect is no load")
      return
    }
    #expect(mark(try tree(in: others)) == "mine")
  }

  @Test func `A FIT image's configuration is chosen by option or behind a #`() throws {
    let file = try Self.fit(Self.image)
    let initrd = Array("the FIT image's initrd".utf8)
    func hasInitrd(_ loaded: [FakeLinux.Segment]) -> Bool { loaded.contains { $0.bytes == initrd } }
    let whole = try segments(of: file).segments
    #expect(hasInitrd(whole))
    #expect(mark(try tree(in: whole)) == "fit")
    for bare in [
      try segments(of: file, ["--config=bare"]).segments,
      try segments(of: file, path: "/boot/Image#bare").segments,
    ] {
      #expect(!hasInitrd(bare))
      #expect(mark(try tree(in: bare)) == nil)
    }
  }

  @Test func `Initrds are joined in their order, each at a multiple of four`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/a"] = [1, 2, 3, 4, 5]
    linux.files["/b"] = [6]
    linux.files["/c"] = [7, 8]
    let options = ["-l", "/boot/Image", "--initrd=/a", "--initrd", "/b", "--ramdisk=/c"]
    #expect(Baton.run(options, system: linux) == .success)
    guard case .kexecLoad(_, _, let loaded) = try #require(linux.effects.first) else {
      Issue.record("the first effect is no load")
      return
    }
    #expect(loaded.contains { $0.bytes == [1, 2, 3, 4, 5, 0, 0, 0, 6, 0, 0, 0, 7, 8] })
    let record = String(decoding: linux.files["/run/baton/loaded.json"] ?? [], as: UTF8.self)
    #expect(record.contains("\"initrds\":[\"/a\",\"/b\",\"/c\"]"), "\(record)")
  }

  @Test func `What was not checked is said`() throws {
    var tree = DeviceTree()
    let kernel = tree.addNode("kernel-1", under: tree.addNode("images", under: tree.root))
    tree.setProperty("data", of: kernel, to: .init(bytes: Self.image))
    let only = tree.addNode("only", under: tree.addNode("configurations", under: tree.root))
    tree.setProperty("kernel", of: only, to: .init("kernel-1"))
    tree.addNode("signature-1", under: only)
    let (linux, _) = try segments(of: try tree.serialized())
    #expect(linux.complaints.contains("the FIT image's signatures are not checked"))
    #expect(linux.complaints.contains("kernel-1 has no hash"))
  }

  /// A file that is refused, and the sentence that says why.
  struct Broken: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var status = BatonCommand.ExitStatus.badFile
    var options: [String] = []
    let words: String
    let file: @Sendable () throws -> [UInt8]
  }

  @Test(arguments: [
    Broken(testDescription: "cut zstd", words: "zstd-compressed data that ends before its end") {
      try compressed("zstd").dropLast(5)
    },
    Broken(testDescription: "damaged zstd", words: "zstd-compressed data that is damaged") {
      var bytes = try compressed("zstd --check")
      bytes[bytes.count - 1] ^= 1
      return bytes
    },
    Broken(testDescription: "zstd with a tail", words: "zstd-compressed data with 3 bytes appended")
    { try compressed("zstd") + [1, 2, 3] },
    Broken(
      testDescription: "zstd with a wrong size", words: "zstd-compressed data with 4 bytes appended"
    ) { try compressed("zstd") + [1, 2, 3, 4] },
    Broken(testDescription: "cut xz", words: "xz-compressed data that ends before its end") {
      try compressed("xz").dropLast(40)
    },
    Broken(testDescription: "damaged xz", words: "xz-compressed data that is damaged") {
      var bytes = try compressed("xz")
      bytes[bytes.count / 2] ^= 1
      return bytes
    },
    Broken(testDescription: "two xz", words: "bytes appended") {
      try compressed("xz") + compressed("xz")
    },
    Broken(testDescription: "cut lzma", words: "lzma-compressed data that ends before its end") {
      try compressed("xz --format=lzma").dropLast(40)
    },
    Broken(testDescription: "nothing in zstd", words: "zstd-compressed data with nothing in it") {
      try HostTool.compress([], by: "zstd")
    },
    Broken(
      testDescription: "a bomb", status: .noRoom, words: "more than half of the memory"
    ) { try HostTool.compress([UInt8](repeating: 0, count: 40 << 20), by: "zstd") },
    Broken(
      testDescription: "a bomb of xz", status: .noRoom, words: "more than half of the memory"
    ) { try HostTool.compress([UInt8](repeating: 0, count: 40 << 20), by: "xz") },
    Broken(
      testDescription: "a bomb in a bomb", status: .noRoom, words: "more than half of the memory"
    ) {
      // Each layer keeps within the limit of 32 MiB, and both together do not.
      let inner = try HostTool.compress([UInt8](repeating: 0, count: 24 << 20), by: "zstd")
      return try HostTool.compress(
        PEFile.zboot(inner + [UInt8](repeating: 0, count: 24 << 20), compression: "zstd"), by: "xz")
    },
    Broken(testDescription: "compressed twice", words: "it is compressed more than once") {
      try HostTool.compress(try compressed("xz"), by: "zstd")
    },
    Broken(
      testDescription: "zstd of text", words: "/boot/Image: with 4 bytes the file is too short"
    ) { try HostTool.compress(Array("text".utf8), by: "zstd") },
    Broken(testDescription: "lz4", words: "lz4-compressed data; decompress it first") {
      try compressed("lz4 -l")
    },
    Broken(testDescription: "bzImage", words: "an x86 kernel (bzImage)") {
      var bytes = [UInt8](repeating: 0, count: 1024)
      bytes.replaceSubrange(0x202..<0x206, with: "HdrS".utf8)
      (bytes[510], bytes[511]) = (0x55, 0xaa)
      return bytes
    },
    Broken(testDescription: "zImage", words: "a 32-bit Arm kernel (zImage)") {
      var bytes = [UInt8](repeating: 0, count: 1024)
      bytes.replaceSubrange(0x24..<0x28, with: [0x18, 0x28, 0x6f, 0x01])
      return bytes
    },
    Broken(testDescription: "an EFI program", words: "an EFI executable without a kernel") {
      PEFile.file([.init(".text", [1, 2, 3])])
    },
    Broken(testDescription: "a UKI for x86", words: "an EFI executable for x86-64") {
      PEFile.file([.init(".linux", image)], machine: 0x8664)
    },
    Broken(testDescription: "a cut UKI", words: "its section .linux ends at byte") {
      PEFile.file([.init(".linux", image)]).dropLast(600)
    },
    Broken(testDescription: "no Image in a UKI", words: "/boot/Image: .linux: not an arm64 kernel")
    { try unified([UInt8](repeating: 1, count: 999)) },
    Broken(testDescription: "zboot for RISC-V", words: "a compressed EFI kernel for RISC-V") {
      PEFile.zboot(image, compression: "gzip", machine: 0x5064)
    },
    Broken(testDescription: "a cut zboot", words: "is not inside the file's") {
      PEFile.zboot(try compressed("zstd"), compression: "zstd").dropLast(100)
    },
    Broken(
      testDescription: "a zboot of damage", words: "payload: gzip-compressed data that is damaged"
    ) {
      var bytes = try compressed("gzip -n")
      bytes[20] ^= 0x55
      return PEFile.zboot(bytes, compression: "gzip")
    },
    Broken(testDescription: "a UKI with a bad tree", words: "device tree is no usable device tree")
    { PEFile.file([.init(".linux", image), .init(".dtb", [1, 2, 3])]) },
    Broken(
      testDescription: "a damaged FIT image",
      words: "the FIT image's ramdisk-1 is not what its crc32 says"
    ) {
      var bytes = try fit(image)
      let text = Array("the FIT image's initrd".utf8)
      let place = try #require(bytes.firstRange(of: text))
      bytes[place.lowerBound] ^= 0x20
      return bytes
    },
    Broken(testDescription: "a cut FIT image", words: "no usable FIT image: it says that it has") {
      try fit(image).dropLast(1)
    },
    Broken(
      testDescription: "a cut FIT image with data outside", words: "the file is truncated"
    ) { try fit(image, ["-E"]).dropLast(1000) },
    Broken(
      testDescription: "no such configuration", options: ["--config=gone"],
      words: "the FIT image has no configuration gone"
    ) { try fit(image) },
    Broken(
      testDescription: "a configuration of no FIT image", status: .usage, options: ["--config=a"],
      words: "/boot/Image is no FIT image"
    ) { image },
    Broken(testDescription: "a device tree", words: "a device tree goes with --dtb") {
      try FakeLinux.tree().serialized()
    },
  ])
  func `A broken file is refused with its sentence, and nothing is loaded`(broken: Broken) throws {
    let linux = try FakeLinux.machine()
    linux.files["/boot/Image"] = try broken.file()
    linux.files["/proc/meminfo"] = Array("MemAvailable:      65536 kB\n".utf8)
    #expect(Baton.run(["-l", "/boot/Image"] + broken.options, system: linux) == broken.status)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains(broken.words), "\(linux.complaints)")
  }

  @Test(arguments: formats.dropFirst())
  func `Whatever is damaged, a load is refused with a sentence or is right`(format: Format) throws {
    let file = try format.file()
    var generator = SeededGenerator(seed: 0xf0)
    for _ in 0..<60 {
      var damaged = file
      if Int.random(in: 0..<4, using: &generator) == 0 {
        damaged.removeLast(Int.random(in: 1..<damaged.count, using: &generator))
      } else {
        let end = Bool.random(using: &generator) ? min(300, damaged.count) : damaged.count
        damaged[Int.random(in: 0..<end, using: &generator)] ^=
          1 << UInt8.random(in: 0..<8, using: &generator)
      }
      let linux = try FakeLinux.machine()
      linux.files["/boot/Image"] = damaged
      linux.files["/proc/meminfo"] = Array("MemAvailable:      65536 kB\n".utf8)
      if Baton.run(["-l", "/boot/Image", "-i"], system: linux) == .success { continue }
      #expect(linux.effects.isEmpty)
      #expect(linux.complaints.hasPrefix("baton: "))
    }
  }
}
