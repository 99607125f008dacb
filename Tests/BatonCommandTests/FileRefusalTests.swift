import BatonCommand
import BootFormats
import LinuxHost
import Testing

/// Files and machines that cannot serve: each is refused by its own sentence, and nothing is
/// loaded.
@Suite struct FileRefusalTests {
  private func expectRefusal(
    _ status: BatonCommand.ExitStatus, options: [String] = [], naming words: String,
    _ spoil: (FakeLinux) throws -> Void
  ) throws {
    let linux = try FakeLinux.machine()
    try spoil(linux)
    #expect(Baton.run(["-l", "/boot/Image"] + options, system: linux) == status)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains(words), "\(linux.complaints)")
    #expect(linux.complaints.hasSuffix("\n"))
  }

  @Test func `An Image is refused for what its header says`() throws {
    func spoiled(_ words: String, _ change: (inout [UInt8]) -> Void) throws {
      var image = FakeLinux.kernelImage
      change(&image)
      try expectRefusal(.badFile, naming: "/boot/Image: " + words) {
        $0.files["/boot/Image"] = image
      }
    }
    try spoiled("with 20 bytes the file is too short") { $0 = [UInt8](repeating: 1, count: 20) }
    try spoiled("the header does not say how much memory") { $0[18] = 0 }
    try spoiled("the header's text_offset and image_size are impossible") { $0[23] = 0xff }
    try spoiled("the file has 70000 bytes, more than the image_size of 128") {
      $0[16] = 128
      $0[18] = 0
    }
    try spoiled("truncated: 70000 of at least 131072 bytes") {
      $0.replaceSubrange(0..<2, with: "MZ".utf8)
      $0.replaceSubrange(60..<64, with: [64, 0, 0, 0])
      var header = Array("PE\0\0".utf8) + [UInt8](repeating: 0, count: 60)
      header[6] = 1  // one section
      header[24 + 18] = 1  // of 64 KiB
      header[24 + 22] = 1  // from 64 KiB on
      $0.replaceSubrange(64..<128, with: header)
    }
    try spoiled("gzip-compressed data whose size is not what its end says") {
      $0 = [0x1f, 0x8b, 8] + [UInt8](repeating: 0, count: 100)
    }
  }

  @Test func `A tree is refused for what is wrong in it, the running one's too`() throws {
    func spoiled(_ words: String, _ change: (inout [UInt8]) -> Void) throws {
      var blob = try FakeLinux.tree().serialized()
      change(&blob)
      try expectRefusal(
        .badFile, options: ["--dtb=/boot/dtb"],
        naming: "/boot/dtb is no usable device tree: " + words
      ) { $0.files["/boot/dtb"] = blob }
      try expectRefusal(
        .badFile, naming: "/sys/firmware/fdt is no usable device tree: " + words
      ) { $0.files["/sys/firmware/fdt"] = blob }
    }
    let size = try FakeLinux.tree().serialized().count
    try spoiled("8 bytes are too short") { $0 = Array($0.prefix(8)) }
    try spoiled("it begins with 0x20202020") { $0 = [UInt8](repeating: 0x20, count: 99) }
    try spoiled("version 99 is not supported") {
      $0[23] = 99
      $0[27] = 99
    }
    try spoiled("it says that it has \(size) bytes, and there are \(size - 1)") {
      $0.removeLast()
    }
    try spoiled("its header is damaged") { $0[8] = 0x7f }  // structure offset
    try spoiled("its header is damaged") { $0[11] |= 1 }
    try spoiled("it is damaged at byte ") { $0[Int($0[11]) + 3] = 0x0b }  // first token
  }

  @Test func `What finds no place is named, with its size`() throws {
    func machine(_ iomem: String) -> (FakeLinux) -> Void {
      { $0.files["/proc/iomem"] = Array((iomem + "\n").utf8) }
    }
    try expectRefusal(
      .noRoom, naming: "no free memory of 2097152 bytes for the kernel",
      machine("40000000-400fffff : System RAM"))
    try expectRefusal(
      .noRoom, options: ["--initrd=/boot/initrd"],
      naming: "no free memory of 10000 bytes for the initrd",
      machine("40000000-401fffff : System RAM"))
    try expectRefusal(
      .noRoom, naming: "bytes for the device tree", machine("40000000-401fffff : System RAM"))
    try expectRefusal(
      .noRoom, naming: "bytes for baton's stage", machine("40000000-40200fff : System RAM"))
    // Beyond the reach of the translation tables.
    try expectRefusal(
      .noRoom, naming: "for the kernel",
      machine("40000000-4000ffff : System RAM\n1000000000000-10000ffffffff : System RAM"))
  }

  @Test func `A tree beyond the boot protocol's 2 MiB is refused`() throws {
    try expectRefusal(.noRoom, naming: "the boot protocol allows 2 MiB") {
      var tree = FakeLinux.tree()
      tree.setProperty(
        "filler", of: tree.root, to: .init(bytes: [UInt8](repeating: 0, count: 2 << 20)))
      $0.files["/sys/firmware/fdt"] = try tree.serialized()
    }
  }

  @Test func `A console where memory is is refused by its place`() throws {
    try expectRefusal(.unsupported, naming: "0x40300000-0x40301000, lie where memory is") {
      $0.files["/sys/firmware/fdt"] = try FakeLinux.tree(console: 0x4030_0000).serialized()
    }
  }

  /// With pages of 16K a table reaches over 64 GiB of blocks: it takes a kernel of terabytes.
  @Test func `A kernel that asks for terabytes is refused, where they are there, too`() throws {
    try expectRefusal(
      .noRoom, naming: "(image_size) that the translation tables would take 2058 pages"
    ) {
      $0.pageSize = 16384
      $0.files["/proc/iomem"] = Array("40000000-7fffffffffff : System RAM\n".utf8)
      $0.files["/boot/Image"]?[21] = 0x40
    }
  }
}
