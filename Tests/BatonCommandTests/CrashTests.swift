import ArmTranslation
import BootFormats
import CBatonArm64
import KexecRelocation
import LinuxHost
import PhysicalMemory
import Testing

@testable import BatonCommand

/// A kernel for the crash of the running one: `--load-panic`.
@Suite struct CrashTests {
  private static let load = ["-p", "/boot/Image", "--initrd=/boot/initrd", "--append=quiet"]

  private func loaded(
    _ options: [String] = [], _ prepare: (FakeLinux) throws -> Void = { _ in }
  ) throws -> LoadedMemory {
    let linux = try FakeLinux.crashMachine()
    try prepare(linux)
    try #require(
      Baton.run(Self.load + options, system: linux) == .success, "\(linux.complaints)")
    #expect(linux.complaints == "")
    return try LoadedMemory(linux, slot: .crash)
  }

  private func tree(in memory: LoadedMemory) throws -> DeviceTree {
    let blob = try #require(
      memory.segments.first { $0.bytes.starts(with: [0xd0, 0x0d, 0xfe, 0xed]) })
    // Sound: the elements are bytes, so that there is no padding among them.
    return try DeviceTree(parsing: unsafe blob.bytes.span.bytes)
  }

  private func chosen(_ name: String, in memory: LoadedMemory) throws -> [UInt32] {
    let tree = try tree(in: memory)
    let value = tree.property(name, of: try #require(tree.node(at: "/chosen")))
    return try #require(value?.cells)
  }

  /// The core header's words.
  private func coreHeader(in memory: LoadedMemory) throws -> [UInt64] {
    let segment = try #require(
      memory.segments.first { $0.bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) })
    return memory.words(at: segment.destination, count: segment.bytes.count / 8)
  }

  @Test(arguments: [[], ["-i"]])
  func `Everything is loaded into the highest reservation, by one call`(options: [String]) throws {
    let memory = try loaded(options)
    var free = PhysicalRangeSet([FakeLinux.crashRegion])
    for segment in memory.segments {
      let destination = range(segment.destination, size: segment.memorySize)
      #expect(free.contains(destination))
      free.subtract(destination)
    }
    #expect(memory.segments.contains { $0.destination == memory.entry })
    // What is left for the crash kernel is in one piece, but for alignment.
    #expect((free.ranges.last?.size ?? 0) > FakeLinux.crashRegion.size - (16 << 20))
  }

  @Test func `The tree names the core header, and all reservations, the highest first`() throws {
    let memory = try loaded()
    let header = try #require(
      memory.segments.first { $0.bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) })
    #expect(
      try chosen("linux,elfcorehdr", in: memory)
        == [0, UInt32(header.destination), 0, UInt32(header.bytes.count)])
    #expect(
      try chosen("linux,usable-memory-range", in: memory)
        == [0, 0xa000_0000, 0, 0x1000_0000, 0, 0x5000_0000, 0, 0x200_0000])
  }

  @Test func `The tree's own cells are used, and refused where they cannot hold an address`() throws
  {
    func withCells(_ cells: UInt32, _ linux: FakeLinux) throws {
      var tree = DeviceTree()
      tree.setProperty("#address-cells", of: tree.root, to: .init(cells))
      tree.setProperty("#size-cells", of: tree.root, to: .init(1 as UInt32))
      tree.addNode("chosen", under: tree.root)
      linux.files["/boot/dtb"] = try tree.serialized()
    }
    let memory = try loaded(["--dtb=/boot/dtb"]) { try withCells(1, $0) }
    #expect(
      try chosen("linux,usable-memory-range", in: memory)
        == [0xa000_0000, 0x1000_0000, 0x5000_0000, 0x200_0000])

    let linux = try FakeLinux.crashMachine()
    try withCells(1, linux)
    var iomem = String(decoding: try #require(linux.files["/proc/iomem"]), as: UTF8.self)
    iomem += "140000000-17fffffff : System RAM\n  150000000-15fffffff : Crash kernel\n"
    linux.files["/proc/iomem"] = Array(iomem.utf8)
    #expect(Baton.run(Self.load + ["--dtb=/boot/dtb"], system: linux) == .badFile)
    #expect(linux.complaints.contains("/boot/dtb: the root's #address-cells"))
    #expect(linux.effects.count == 0)
  }

  @Test func `The core header lists each CPU's notes, the kernel and all memory but its own`()
    throws
  {
    let words = try coreHeader(in: loaded())
    #expect(words[0] == 0x0001_0102_464c_457f)
    #expect(words[7] == 8)
    let headers = (0..<8).map { Array(words[(8 + 7 * $0)..<(15 + 7 * $0)]) }
    for (header, address) in zip(headers, [0xbfbd_4000, 0xbfbe_a000, 0xbfc1_6000] as [UInt64]) {
      #expect(header == [4, address, 0, address, 424, 424, 0])
    }
    #expect(headers[3] == [4, 0x422f_e000, 0, 0x422f_e000, 0x1024, 0x1024, 0])
    let load: UInt64 = 1 | 7 << 32
    let expected: [[UInt64]] = [
      [0x4021_0000, 0xffff_bd30_9921_0000, 0x1a9_0000],
      [0x4000_0000, 0xffff_0000_0000_0000, 0x1000_0000],
      [0x5200_0000, 0xffff_0000_1200_0000, 0x4e00_0000],
      [0xb000_0000, 0xffff_0000_7000_0000, 0x1000_0000],
    ]
    for (header, each) in zip(headers[4...], expected) {
      #expect(header == [load, each[0], each[1], each[0], each[2], each[2], 0])
    }
  }

  @Test(
    arguments: [
      ("ffffbd3099200000 T _text\nffffbd3099210000 T _stext\n", 0xffff_bd30_9921_0000),
      // Before Linux 5.11 /proc/iomem begins with _text.
      ("ffffbd3099210000 T _text\nffffbd3099220000 T _stext\n", 0xffff_bd30_9921_0000),
    ] as [(String, UInt64)])
  func `Without /proc/kcore the kernel's address comes from its symbols`(
    symbols: String, address: UInt64
  ) throws {
    let memory = try loaded {
      $0.files["/proc/kcore"] = nil
      $0.files["/proc/kallsyms"] = Array(symbols.utf8)
    }
    let words = try coreHeader(in: memory)
    #expect(words[8 + 4 * 7 + 2] == address)
    // Where the linear map lies is not known then.
    #expect(words[8 + 5 * 7 + 2] == 0)
  }

  @Test func `A kernel that tells no address is dumped without one, with a warning`() throws {
    let linux = try FakeLinux.crashMachine()
    linux.files["/proc/kcore"] = nil
    linux.files["/proc/kallsyms"] = Array("0000000000000000 T _stext\n".utf8)
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(linux.complaints.contains("neither /proc/kcore nor /proc/kallsyms"))
    #expect(try coreHeader(in: LoadedMemory(linux, slot: .crash))[7] == 7)
  }

  @Test func `The stage maps the reservation and the console, and nothing else`() throws {
    let memory = try loaded()
    try memory.withBlock { block in
      #expect(block.processorCount == 0)
      #expect(block.redistributorCount == 0)
      #expect(
        FakeLinux.crashRegion.contains(
          range(block.header.tables, size: Int(block.header.table_size))))
      let walker = try TableWalker(
        regime: .el2, tcr: TranslationRegime.el2.tcr(block.header.el2_layout.tcr, mmfr0: 5),
        mair: block.header.el2_layout.mair, ttbr0: block.header.el2_layout.root, memory: memory)
      var mapped: [UInt64] = []
      for address in stride(from: 0 as UInt64, to: 0x1_0000_0000, by: 2 << 20) {
        do throws(TranslationFault) {
          _ = try walker.translate(VirtualAddress(address))
          mapped.append(address)
        } catch {}
      }
      let inside = mapped.filter { FakeLinux.crashRegion.contains(PhysicalAddress($0)) }
      #expect(!inside.isEmpty)
      #expect(mapped.filter { !inside.contains($0) } == [0x900_0000])
    }
  }

  @Test func `Every byte that is loaded is verified, the core header included`() throws {
    let memory = try loaded()
    try memory.withBlock { block in
      let roles = (0..<block.pieceCount).map { block.piece($0).segment }
      for role in [SegmentRole.kernel, .initrd, .deviceTree, .coreHeader] {
        #expect(roles.contains(role.rawValue), "\(role.name)")
      }
    }
  }

  @Test func `Without checks there is no stage, only what hands the tree over`() throws {
    let memory = try loaded(["-i"])
    let entry = memory.words(at: memory.entry, count: 7)
    let kernel = try #require(memory.segments.first { $0.bytes == FakeLinux.kernelImage })
    let blob = try #require(
      memory.segments.first { $0.bytes.starts(with: [0xd0, 0x0d, 0xfe, 0xed]) })
    #expect(entry[5] == blob.destination)
    #expect(entry[6] == kernel.destination)
    #expect(memory.segments.count == 5)
  }

  @Test func `A reused command line reserves no memory for a crash of the crash kernel`() throws {
    let memory = try loaded(["--reuse-cmdline"]) {
      $0.files["/proc/cmdline"] = Array(
        "BOOT_IMAGE=/vmlinuz crashkernel=256M,high root=/dev/vda1 crashkernel=64M,low\n".utf8)
    }
    #expect(try tree(in: memory).bootArguments == Array("root=/dev/vda1 quiet".utf8))
  }

  @Test func `CPUs that cannot be switched off do not matter to a crash kernel`() throws {
    let linux = try FakeLinux.crashMachine()
    linux.files["/sys/devices/system/cpu/online"] = Array("0-1\n".utf8)
    linux.files["/sys/firmware/fdt"] = FakeLinux.tree(enableMethods: ["spin-table", "spin-table"])
    #expect(Baton.run(Self.load, system: linux) == .success)
  }

  @Test func `A machine without a reservation is told what to boot with`() throws {
    let linux = try FakeLinux.machine()
    #expect(Baton.run(Self.load, system: linux) == .noRoom)
    #expect(linux.effects.count == 0)
    #expect(
      linux.complaints
        == "baton: no memory is reserved for a crash kernel (no Crash kernel in /proc/iomem): boot "
        + "with crashkernel=256M\n")
  }

  @Test(arguments: [[], ["-i"]])
  func `Too small a reservation is told what it takes`(options: [String]) throws {
    let linux = try FakeLinux.crashMachine()
    linux.files["/proc/iomem"] = Array(
      "40000000-bfffffff : System RAM\n  a0000000-a02fffff : Crash kernel\n".utf8)
    #expect(Baton.run(Self.load + options, system: linux) == .noRoom)
    #expect(linux.effects.count == 0)
    #expect(linux.complaints.contains("has 3 MiB; what would be loaded takes 10 MiB"))
    #expect(linux.complaints.contains("boot with crashkernel=192M\n"))
  }

  @Test(arguments: [("0\n", "no crash kernel is loaded now"), ("1\n", "is still there")])
  func `A refused load says whether a crash kernel is loaded still`(
    loaded: String, words: String
  ) throws {
    let linux = try FakeLinux.crashMachine()
    linux.kexecLoadFailure = .busy
    linux.files["/sys/kernel/kexec_crash_loaded"] = Array(loaded.utf8)
    #expect(Baton.run(Self.load, system: linux) == .systemCall)
    #expect(linux.complaints.contains(words))
  }

  @Test func `Unloading and status are about the crash slot where -p is given`() throws {
    let linux = try FakeLinux.crashMachine()
    #expect(Baton.run(["-S", "-p"], system: linux) == .negative)
    #expect(linux.output == "next kernel: not loaded\ncrash kernel: not loaded\n")
    let before = linux.output.count
    #expect(Baton.run(Self.load, system: linux) == .success)
    linux.showsMemory = true
    #expect(Baton.run(["-S", "-p"], system: linux) == .success)
    #expect(
      linux.output.dropFirst(before) == "next kernel: not loaded\n"
        + "crash kernel: loaded: /boot/Image (verifies everything): a panic starts it\n")
    #expect(Baton.run(["-S"], system: linux) == .negative)
    #expect(Baton.run(["-p", "-u"], system: linux) == .success)
    #expect(linux.effects.last == .kexecLoad(slot: .crash, entry: 0, segments: []))
    #expect(linux.files["/run/baton/crash.json"] == nil)
  }

  @Test(arguments: [
    ["-p", "-l", "/boot/Image"], ["-p", "-e"], ["-p"], ["-u", "-p", "/boot/Image"],
  ])
  func `What makes no sense with -p is refused`(arguments: [String]) throws {
    let linux = try FakeLinux.crashMachine()
    #expect(Baton.run(arguments, system: linux) == .usage)
    #expect(linux.effects.count == 0)
  }

  /// What the kernel says of itself, damaged: path, content (nil: no such file), status, and what the
  /// sentence has to name.
  private static let damaged: [(String, String?, BatonCommand.ExitStatus, String)] = {
    let cpu = "/sys/devices/system/cpu/"
    return [
      (cpu + "possible", nil, .systemCall, cpu + "possible"),
      (cpu + "possible", "", .systemCall, cpu + "possible"),
      (cpu + "possible", "0-x\n", .systemCall, cpu + "possible"),
      (cpu + "possible", "3-1\n", .systemCall, cpu + "possible"),
      (cpu + "possible", "0-99999999999\n", .systemCall, cpu + "possible"),
      (cpu + "possible", "7\n", .unsupported, "CONFIG_CRASH_DUMP"),
      (cpu + "cpu0/crash_notes", "", .systemCall, "cpu0/crash_notes"),
      (cpu + "cpu0/crash_notes", "0\n", .systemCall, "cpu0/crash_notes"),
      (cpu + "cpu0/crash_notes", "here\n", .systemCall, "cpu0/crash_notes"),
      (cpu + "cpu0/crash_notes", "ffffffffffffffff\n", .systemCall, "cpu0/crash_notes"),
      (cpu + "cpu0/crash_notes", "1ffffffffffffffff\n", .systemCall, "cpu0/crash_notes"),
      (cpu + "cpu0/crash_notes_size", nil, .systemCall, "crash_notes_size"),
      (cpu + "cpu0/crash_notes_size", "0\n", .systemCall, "crash_notes_size"),
      (cpu + "cpu0/crash_notes_size", "1a8\n", .systemCall, "crash_notes_size"),
      (cpu + "cpu0/crash_notes_size", "99999999\n", .systemCall, "crash_notes_size"),
      ("/sys/kernel/vmcoreinfo", "", .systemCall, "/sys/kernel/vmcoreinfo"),
      ("/sys/kernel/vmcoreinfo", "0x1000\n", .systemCall, "/sys/kernel/vmcoreinfo"),
      ("/sys/kernel/vmcoreinfo", "0x 400\n", .systemCall, "/sys/kernel/vmcoreinfo"),
      ("/sys/kernel/vmcoreinfo", "0 400\n", .systemCall, "/sys/kernel/vmcoreinfo"),
      ("/sys/kernel/vmcoreinfo", "0x1000 0\n", .systemCall, "/sys/kernel/vmcoreinfo"),
      ("/sys/kernel/vmcoreinfo", "0x1000 4 4\n", .systemCall, "/sys/kernel/vmcoreinfo"),
      ("/sys/kernel/vmcoreinfo", "0xffffffffffffff00 400\n", .systemCall, "/sys/kernel/vmcoreinfo"),
      (
        "/proc/iomem", "40000000-bfffffff : System RAM\n  a0000000- : Crash kernel\n", .systemCall,
        "line 2"
      ),
      (
        "/proc/iomem", "40000000-bfffffff : System RAM\n  b0000000-a0000000 : Crash kernel\n",
        .systemCall, "line 2"
      ),
      (
        "/proc/iomem", "40000000-bfffffff : System RAM\n  00000000-00000000 : Crash kernel\n",
        .noRoom, "crashkernel=256M"
      ),
    ]
  }()

  @Test
  func `Damaged crash ranges, notes and vmcoreinfo get a sentence each, and nothing is loaded`()
    throws
  {
    for (path, content, status, words) in Self.damaged {
      let linux = try FakeLinux.crashMachine()
      linux.files[path] = content.map { Array($0.utf8) }
      // By kexec_load(2), which takes what the kernel says of itself.
      let found = Baton.run(Self.load + ["-c"], system: linux)
      #expect(found == status, "\(path): \(content ?? "none")")
      #expect(linux.complaints.contains(words), "\(path): \(linux.complaints)")
      #expect(linux.complaints.hasPrefix("baton: "))
      #expect(linux.effects.count == 0)
    }
  }

  @Test func `No damage to /proc/kcore is a trap, and what is cut short tells nothing`() throws {
    let whole = try #require(try FakeLinux.crashMachine().files["/proc/kcore"])
    for index in 0..<(64 + 3 * 56) {
      for value in [0x00, 0x7f, 0xff] as [UInt8] {
        let linux = try FakeLinux.crashMachine()
        linux.files["/proc/kcore"]?[index] = value
        #expect(CoreInfo(linux)?.number("SOMETHING_ELSE") == nil, "byte \(index)")
      }
    }
    for count in stride(from: 0, to: whole.count, by: 7) {
      let linux = try FakeLinux.crashMachine()
      linux.files["/proc/kcore"] = Array(whole.prefix(count))
      #expect(CoreInfo(linux) == nil, "\(count) bytes")
    }
    #expect(
      CoreInfo(try FakeLinux.crashMachine())?.number("kimage_voffset") == 0xffff_bd30_5900_0000)
  }
}

private func range(_ start: UInt64, size: Int) -> PhysicalRange {
  PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(start + UInt64(size)))
}
