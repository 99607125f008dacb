import BatonCommand
import BootFormats
import LinuxHost
import PhysicalMemory
import Testing

@Suite struct LoadTests {
  private static let load = ["-l", "/boot/Image", "--initrd=/boot/initrd", "--append=quiet"]

  @Test func `A load is one call, for the normal slot`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(linux.complaints == "")
    #expect(linux.output == "")
    let loaded = try loaded(by: linux)
    #expect(loaded.slot == .normal)
    #expect(linux.effects.count == 1)
  }

  @Test func `Segments lie apart, in whole pages of memory that may be overwritten`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(Self.load, system: linux) == .success)
    let loaded = try loaded(by: linux)
    #expect(loaded.segments.count <= 16)
    var free = PhysicalRangeSet([range(0x4000_0000, 0xc000_0000)])
    free.subtract(range(0x4800_0000, 0x4810_0000))
    for segment in loaded.segments {
      #expect(segment.destination % 4096 == 0)
      #expect(segment.memorySize % 4096 == 0)
      #expect(segment.bytes.count <= segment.memorySize)
      let destination = range(
        segment.destination, segment.destination + UInt64(segment.memorySize))
      #expect(free.contains(destination))
      free.subtract(destination)
    }
    #expect(loaded.segments.contains { $0.destination == loaded.entry })
  }

  @Test func `Kernel and initrd are loaded byte for byte, and the tree says where`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(Self.load, system: linux) == .success)
    let loaded = try loaded(by: linux)
    let kernel = try #require(loaded.segments.first { $0.bytes == FakeLinux.kernelImage })
    #expect(kernel.destination % 0x20_0000 == 0)
    let content = try #require(linux.files["/boot/initrd"])
    let initrd = try #require(loaded.segments.first { $0.bytes == content })
    #expect(
      try tree(of: loaded).initialRAMDisk
        == range(initrd.destination, initrd.destination + UInt64(content.count)))
  }

  @Test func `A compressed kernel is loaded as what it was before`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/boot/Image"] = FakeLinux.stored(FakeLinux.kernelImage)
    #expect(Baton.run(Self.load, system: linux) == .success)
    let loaded = try loaded(by: linux)
    #expect(loaded.segments.contains { $0.bytes == FakeLinux.kernelImage })
  }

  @Test func `The tree's seeds are fresh, and nothing of the running kernel's is left`() throws {
    let linux = try FakeLinux.machine()
    let stale = [
      "linux,initrd-start", "linux,initrd-end", "linux,elfcorehdr", "linux,usable-memory-range",
    ]
    var running = FakeLinux.tree()
    let runningChosen = try #require(running.node(at: "/chosen"))
    for name in stale + ["kaslr-seed", "rng-seed"] {
      running.setProperty(name, of: runningChosen, to: .init(0x4800_0000 as UInt64))
    }
    linux.files["/sys/firmware/fdt"] = try running.serialized()
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    let tree = try tree(of: try loaded(by: linux))
    let chosen = try #require(tree.node(at: "/chosen"))
    #expect(tree.property("kaslr-seed", of: chosen)?.u64 == 0x0102_0304_0506_0708)
    #expect(tree.property("rng-seed", of: chosen)?.bytes == (9...72).map { UInt8($0) })
    #expect(tree.initialRAMDisk == nil)
    for name in stale { #expect(!tree.hasProperty(name, of: chosen), "\(name)") }
  }

  @Test(arguments: [
    ([], "of the running kernel"), (["--append=a b"], "a b"), (["--command-line=a"], "a"),
    (["--reuse-cmdline"], "console=ttyAMA0 root=/dev/vda1"),
    (["--reuse-cmdline", "--append=quiet"], "console=ttyAMA0 root=/dev/vda1 quiet"),
    (["--append=quiet", "--reuse-cmdline"], "console=ttyAMA0 root=/dev/vda1 quiet"),
    (["--dtb=/boot/dtb"], "of the running kernel"), (["--dtb=/boot/dtb", "--append=x"], "x"),
    (["--dtb=/boot/dtb", "--append="], ""),
  ])
  func `The command line is what was asked for`(options: [String], line: String) throws {
    let linux = try FakeLinux.machine()
    linux.files["/boot/dtb"] = linux.files["/sys/firmware/fdt"]
    #expect(Baton.run(["-l", "/boot/Image"] + options, system: linux) == .success)
    let tree = try tree(of: try loaded(by: linux))
    #expect(String(decoding: tree.bootArguments ?? [], as: UTF8.self) == line)
  }

  @Test(arguments: [
    ("BOOT_IMAGE=/vmlinuz root=/dev/vda1\n", "root=/dev/vda1"),
    ("quiet BOOT_IMAGE=/vmlinuz", "quiet"), ("BOOT_IMAGE=/vmlinuz\n", ""), ("\n", ""), ("", ""),
    ("dyndbg=\"file a.c  +p\" quiet \n", "dyndbg=\"file a.c  +p\" quiet"),
    ("a=BOOT_IMAGE=b", "a=BOOT_IMAGE=b"),
  ])
  func `A reused command line stays as it is, but for the boot loader's word`(
    running: String, line: String
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/cmdline"] = Array(running.utf8)
    #expect(Baton.run(["-l", "/boot/Image", "--reuse-cmdline"], system: linux) == .success)
    let tree = try tree(of: try loaded(by: linux))
    #expect(String(decoding: tree.bootArguments ?? [], as: UTF8.self) == line)
  }

  @Test func `A command line may have 2047 bytes, both parts together`() throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/cmdline"] = Array(repeating: UInt8(ascii: "a"), count: 1000)
    func run(_ size: Int) -> BatonCommand.ExitStatus {
      let appended = String(repeating: "b", count: size)
      return Baton.run(
        ["-l", "/boot/Image", "--reuse-cmdline", "--append", appended], system: linux)
    }
    #expect(run(1047) == .badFile)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains("2048 bytes"))
    #expect(run(1046) == .success)
    #expect(try tree(of: try loaded(by: linux)).bootArguments?.count == 2047)
  }

  @Test func `A tree that is given takes the place of the running one's`() throws {
    let linux = try FakeLinux.machine()
    var given = FakeLinux.tree()
    given.setProperty("model", of: given.root, to: .init("given"))
    linux.files["/boot/dtb"] = try given.serialized()
    #expect(Baton.run(["-l", "/boot/Image", "--dtb=/boot/dtb"], system: linux) == .success)
    let tree = try tree(of: try loaded(by: linux))
    #expect(tree.property("model", of: tree.root)?.string == "given")
  }

  @Test func `A dry run shows the plan and does nothing, even unprivileged`() throws {
    let linux = try FakeLinux.machine()
    linux.isRoot = false
    #expect(Baton.run(Self.load + ["--dry-run"], system: linux) == .success)
    #expect(linux.effects.isEmpty)
    for word in ["kernel", "initrd", "dtb", "stage", "EL2", "pl011 at 0x", "smc"] {
      #expect(linux.output.contains(word), "\(word)")
    }
  }

  @Test func `The plan that -d shows is the dry run's`() throws {
    let dry = try FakeLinux.machine()
    let debug = try FakeLinux.machine()
    #expect(Baton.run(Self.load + ["--dry-run"], system: dry) == .success)
    #expect(Baton.run(Self.load + ["-d"], system: debug) == .success)
    #expect(debug.output == dry.output)
    #expect(debug.effects.count == 1)
  }

  @Test func `Without checks a sample is verified`() throws {
    let linux = try FakeLinux.machine()
    var large = FakeLinux.kernelImage
    large += [UInt8](repeating: 1, count: 0x20_0000 - large.count)
    linux.files["/boot/Image"] = large
    #expect(Baton.run(["-l", "/boot/Image", "--dry-run"], system: linux) == .success)
    let whole = verifiedBytes(linux.output)
    let sampling = try FakeLinux.machine()
    sampling.files["/boot/Image"] = large
    #expect(Baton.run(["-l", "-i", "/boot/Image", "--dry-run"], system: sampling) == .success)
    #expect(try #require(whole) >= large.count)
    #expect(try #require(verifiedBytes(sampling.output)) <= 64 * 4096)
  }

  @Test(arguments: [
    (27, "EL1"), (30, "EL2"), (26, "EL2 with VHE"), (29, "EL1 or EL2"),
  ])
  func `The plan names the level at which the stage is entered`(
    interrupt: Int, level: String
  ) throws {
    let linux = try FakeLinux.machine()
    linux.files["/proc/interrupts"] = Array("11: 1 GICv3 \(interrupt) Level arch_timer\n".utf8)
    #expect(Baton.run(Self.load + ["--dry-run"], system: linux) == .success)
    #expect(linux.output.contains(" at " + level + ","))
    #expect(linux.complaints.isEmpty == (interrupt != 29))
  }

  private func loaded(
    by linux: FakeLinux
  ) throws -> (slot: KexecSlot, entry: UInt64, segments: [FakeLinux.Segment]) {
    guard case .kexecLoad(let slot, let entry, let segments) = try #require(linux.effects.first)
    else { throw NothingLoaded() }
    return (slot, entry, segments)
  }

  private struct NothingLoaded: Error {}

  private func tree(
    of loaded: (slot: KexecSlot, entry: UInt64, segments: [FakeLinux.Segment])
  ) throws -> DeviceTree {
    let blob = try #require(
      loaded.segments.first { $0.bytes.starts(with: [0xd0, 0x0d, 0xfe, 0xed]) })
    // Sound: the elements are bytes, so that there is no padding among them.
    return try DeviceTree(parsing: unsafe blob.bytes.span.bytes)
  }

  private func verifiedBytes(_ listing: String) -> Int? {
    for line in listing.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.first == "verified", words.count > 1 { return Int(words[1]) }
    }
    return nil
  }
}

private func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
  PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
}
