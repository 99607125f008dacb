import CLinuxHost
import Foundation
import LinuxHost
import Testing

@testable import BatonCommand

/// What the kernel's own memory shows of the slots, and that the records are believed no further.
@Suite struct SlotContentTests {
  private static let load = ["-l", "/boot/Image"]
  private static let unconfirmed = "does not show whether another tool loaded something since"

  private func loaded(_ linux: FakeLinux, _ words: [String] = load) throws -> FakeLinux {
    #expect(Baton.run(words, system: linux) == .success, "\(linux.complaints)")
    linux.showsMemory = true
    return linux
  }

  /// As kexec-tools would: two segments elsewhere.
  private func loadByAnotherTool(_ slot: KexecSlot, _ linux: FakeLinux) throws {
    let segments = unsafe [
      linux_kexec_segment(buf: nil, bufsz: 0, mem: 0x6000_0000, memsz: 0x20_0000),
      linux_kexec_segment(buf: nil, bufsz: 0, mem: 0x7000_0000, memsz: 0x1000),
    ]
    try unsafe segments.withUnsafeBufferPointer {
      try unsafe linux.kexecLoad(entry: 0x7000_0000, segments: $0, slot: slot)
    }
  }

  private func words(_ linux: FakeLinux) -> String {
    let before = linux.output.utf8.count
    _ = Baton.run(["-S"], system: linux)
    return String(decoding: linux.output.utf8.dropFirst(before), as: UTF8.self)
  }

  @Test func `What baton loaded is found in the kernel's memory`() throws {
    let linux = try loaded(try .machine())
    #expect(try linux.status()["replaced"] as? Bool == false)
    #expect(try linux.status()["loadedByBaton"] as? Bool == true)
    #expect(!words(linux).contains(Self.unconfirmed))
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.effects.last == .kexecLoad(slot: .normal, entry: 0, segments: []))
  }

  @Test func `The pointers to the images are found by their own names, too`() throws {
    let linux = try loaded(try .reserving())
    linux.files["/proc/kallsyms"] = Array(
      """
      \(String(FakeLinux.code, radix: 16)) T _text
      \(String(FakeLinux.code + 0x1010, radix: 16)) B kexec_image
      \(String(FakeLinux.code + 0x1018, radix: 16)) B kexec_crash_image

      """.utf8)
    linux.imagePointers = ImagePointers()
    #expect(try linux.status()["replaced"] as? Bool == false)
    #expect(linux.loadedImage(in: .crash) != nil)
    #expect(linux.loadedImage(in: .crash) != linux.loadedImage(in: .normal))
  }

  @Test func `What another tool has loaded over it is told, and stays`() throws {
    let linux = try loaded(try .machine())
    try loadByAnotherTool(.normal, linux)
    let answer = try linux.status()
    #expect(answer["loaded"] as? Bool == true)
    #expect(answer["loadedByBaton"] as? Bool == false)
    #expect(answer["replaced"] as? Bool == true)
    #expect(answer["planDigest"] is NSNull)
    #expect(
      words(linux) == """
        next kernel: loaded by another tool, over /boot/Image of baton -l: baton -e starts it
        crash kernel: not loaded

        """)
    // Nor is it waited for as Baton's in the next kernel.
    var noted = true
    linux.onReboot = { noted = $0.files["/var/lib/baton/last.json"] != nil }
    _ = Baton.run(["-e"], system: linux)
    #expect(!noted)
    #expect(linux.effects.last == .reboot)
    let effects = linux.effects
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.effects == effects)
    #expect(linux.complaints.contains("baton -u -f unloads it"))
    #expect(Baton.run(["-u", "-f"], system: linux) == .success)
    #expect(linux.effects.last == .kexecLoad(slot: .normal, entry: 0, segments: []))
  }

  @Test func `What is staged for a kernel that is not loaded any more is removed`() throws {
    let linux = try loaded(try .reserving())
    try loadByAnotherTool(.normal, linux)
    #expect(words(linux).contains("left behind"))
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.effects.last == .kexecLoad(slot: .crash, entry: 0, segments: []))
    #expect(linux.normalSlot != nil)
  }

  @Test func `A dump kernel that another tool has loaded over what is staged is one`() throws {
    let linux = try loaded(try .reserving())
    #expect(try linux.status()["stagedImageLoaded"] as? Bool == true)
    try loadByAnotherTool(.crash, linux)
    let answer = try linux.status()
    #expect(answer["crashKernelLoaded"] as? Bool == true)
    #expect(answer["stagedImageLoaded"] as? Bool == false)
    #expect(words(linux).contains("but a dump kernel was loaded over it"))
    // Nothing of that could start.
    #expect(Baton.run(["-S"], system: linux) == .negative)
    #expect(Baton.run(["-e"], system: linux) == .negative)
    #expect(!linux.effects.contains(.reboot))
    // To its own scripts, too.
    #expect(Baton.runAsKexec(["-S"], system: linux) == 1)
    #expect(
      Baton.run(Self.load + ["--via=crashkernel"], system: linux) == .notPermitted,
      "\(linux.complaints)")
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.effects.last == .kexecLoad(slot: .normal, entry: 0, segments: []))
    #expect(linux.crashSlot != nil)
    #expect(Baton.runAsKexec(["-p", "-u"], system: linux) == 0)
    #expect(linux.crashSlot == nil)
  }

  @Test func `A crash kernel of another tool's is not the one of baton -p`() throws {
    let linux = try loaded(try .crashMachine(), ["-p", "/boot/Image"])
    #expect(words(linux).contains("crash kernel: loaded: /boot/Image ("))
    #expect(!words(linux).contains(Self.unconfirmed))
    try loadByAnotherTool(.crash, linux)
    #expect(words(linux).hasSuffix("crash kernel: loaded\n"))
    #expect(Baton.run(["-p", "-u"], system: linux) == .success)
    #expect(linux.crashSlot != nil)
    #expect(linux.complaints.contains("baton -p -u -f unloads it"))
  }

  @Test(arguments: [
    "/proc/kcore", "/proc/kallsyms", "hidden", "by file",
  ])
  func `Where the kernel does not show it, the record is believed, and the status says so`(
    lacking: String
  ) throws {
    let linux = try loaded(
      try .machine(), Self.load + (lacking == "by file" ? ["--via=file"] : []))
    switch lacking {
    case "hidden":
      linux.files["/proc/kallsyms"] = Array("0000000000000000 t kexec_loaded_show\n".utf8)
    case "by file": break
    default: linux.fileFailures[lacking] = .notPermitted
    }
    #expect(words(linux).hasSuffix(Self.unconfirmed + "\n"))
    let answer = try linux.status()
    #expect(answer["loadedByBaton"] as? Bool == true)
    #expect(answer["replaced"] is NSNull)
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.normalSlot == nil)
  }

  /// The played kernel's /proc/kcore, changed in one way that has a name.
  struct BrokenCore: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Little-endian numbers: where they are written, and of how many bytes.
    private let changes: [(offset: Int, size: Int, value: UInt64)]
    /// What is left of the file.
    private let length: Int

    init(
      _ name: String, _ changes: [(offset: Int, size: Int, value: UInt64)] = [],
      length: Int = .max
    ) {
      testDescription = name
      self.changes = changes
      self.length = length
    }

    func apply(to linux: FakeLinux) throws {
      var bytes = try #require(linux.files["/proc/kcore"])
      for change in changes {
        for index in 0..<change.size {
          bytes[change.offset + index] = UInt8(
            truncatingIfNeeded: change.value >> UInt64(8 * index))
        }
      }
      linux.files["/proc/kcore"] = Array(bytes.prefix(length))
      linux.imagePointers = ImagePointers()
    }
  }

  /// In the file: the program headers of code and images, the function, its variable, and the image that the
  /// variable points to (FakeLinux+Memory.swift).
  private static let (codePart, imagePart) = (64 + 56, 64 + 2 * 56)
  private static let (function, variable, image) = (0x1200, 0x2010, 0x3000)
  private static let (count, firstContentSize) = (image + 56, image + 72)
  private static let (firstPlace, firstSize) = (image + 80, image + 88)
  private static let nop: UInt64 = 0xD503_201F

  @Test(arguments: [
    BrokenCore("empty", length: 0), BrokenCore("cut in the header", length: 40),
    BrokenCore("no ELF file", [(0, 4, 0x464c_457e)]), BrokenCore("of 32 bits", [(4, 1, 1)]),
    BrokenCore("big-endian", [(5, 1, 2)]),
    BrokenCore("headers behind the end", [(32, 8, 1 << 40)]),
    BrokenCore("headers beyond 63 bits", [(32, 8, .max)]),
    BrokenCore("headers too small", [(54, 2, 55)]), BrokenCore("no headers", [(56, 2, 0)]),
    BrokenCore("more headers than there are bytes", [(56, 2, 0xffff)]),
    BrokenCore("cut in the headers", length: codePart + 40),
    BrokenCore("code is a note", [(codePart, 4, 4)]),
    BrokenCore("code is elsewhere", [(codePart + 16, 8, 0x1000)]),
    BrokenCore("code ends within the function", [(codePart + 32, 8, 0x27f)]),
    BrokenCore("code lies behind the end", [(codePart + 8, 8, 1 << 40)]),
    BrokenCore("code lies beyond 64 bits", [(codePart + 8, 8, .max)]),
    BrokenCore("cut in the function", length: function + 4),
    BrokenCore("the function returns at once", [(function, 4, 0xD65F_03C0)]),
    BrokenCore("the function names no page", [(function + 8, 4, nop)]),
    BrokenCore("the function loads nothing", [(function + 24, 4, nop)]),
    BrokenCore("the variable is nowhere", [(function + 8, 4, 0xB07F_FFE3)]),
    BrokenCore("cut in the variable", length: variable + 4),
    BrokenCore("the variable is null", [(variable, 8, 0)]),
    BrokenCore("the variable points nowhere", [(variable, 8, 0x8000_0000_0000)]),
    BrokenCore("the variable points to the end", [(variable, 8, FakeLinux.heap + 0xff8)]),
    BrokenCore("images lie behind the end", [(imagePart + 8, 8, 1 << 40)]),
    BrokenCore("cut in the image", length: firstPlace),
    BrokenCore("no segments", [(count, 8, 0)]), BrokenCore("17 segments", [(count, 8, 17)]),
    BrokenCore("2^64 - 1 segments", [(count, 8, .max)]),
    BrokenCore("more segments than are filled in", [(count, 8, 16)]),
    BrokenCore("a segment without a size", [(firstSize, 8, 0)]),
    BrokenCore("a segment at half a page", [(firstPlace, 8, 0x6000_0800)]),
    BrokenCore("a segment of half a page", [(firstSize, 8, 0x800)]),
    BrokenCore("a segment with more bytes than room", [(firstContentSize, 8, 1 << 30)]),
    BrokenCore(
      "a segment beyond 64 bits", [(firstPlace, 8, UInt64.max - 0xfff), (firstSize, 8, 0x2000)]),
  ])
  func `A proc kcore that leads to no image shows nothing, and the status says so`(
    broken: BrokenCore
  ) throws {
    let linux = try loaded(try .machine())
    #expect(linux.loadedImage(in: .normal) != nil)
    try broken.apply(to: linux)
    #expect(linux.loadedImage(in: .normal) == nil)
    #expect(words(linux).hasSuffix(Self.unconfirmed + "\n"))
    let answer = try linux.status()
    #expect(answer["loadedByBaton"] as? Bool == true)
    #expect(answer["replaced"] is NSNull)
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.normalSlot == nil)
  }

  @Test(arguments: [
    BrokenCore("fewer segments", [(count, 8, 1)]),
    BrokenCore("another place", [(firstPlace, 8, 0x6000_0000)]),
    BrokenCore("another size", [(firstSize, 8, 0x20_1000)]),
    BrokenCore("fewer bytes", [(firstContentSize, 8, 1)]),
  ])
  func `A proc kcore with another image says that another tool loaded it`(
    broken: BrokenCore
  ) throws {
    let linux = try loaded(try .machine())
    try broken.apply(to: linux)
    #expect(words(linux).hasPrefix("next kernel: loaded by another tool, over /boot/Image"))
    #expect(try linux.status()["replaced"] as? Bool == true)
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.complaints.contains("baton -u -f unloads it"))
    #expect(linux.normalSlot != nil)
  }

  @Test func `Whatever the kernel's memory holds, it is an image or none`() throws {
    let linux = try loaded(try .reserving())
    let whole = try #require(linux.files["/proc/kcore"])
    let right = try #require(linux.loadedImage(in: .crash))
    #expect(right.segments.count > 3)
    // Headers, code, variables and the image's fields.
    let parts = [0..<64 + 3 * 56, 0x1100..<0x1120, 0x2010..<0x2020, 0x3800..<0x3800 + 576]
    for index in parts.joined() {
      for value in [0x00, 0x80, 0xff] as [UInt8] {
        linux.files["/proc/kcore"]?[index] = value
        linux.imagePointers = ImagePointers()
        if let image = linux.loadedImage(in: .crash) {
          #expect((1...16).contains(image.segments.count))
        }
        linux.files["/proc/kcore"]?[index] = whole[index]
      }
    }
    for count in stride(from: 0, to: whole.count, by: 97) {
      linux.files["/proc/kcore"] = Array(whole.prefix(count))
      linux.imagePointers = ImagePointers()
      #expect(linux.loadedImage(in: .crash) == nil || count > 0x3800 + 576)
    }
  }

  @Test(arguments: [
    ["-S"], ["-S", "--json"], ["-u"], ["-e"], load, load + ["--via=memory"], load + ["--via=file"],
  ])
  func `A command reads the kernel's symbols once at most`(command: [String]) throws {
    let linux = try loaded(try .reserving())
    let path = "/proc/kallsyms"
    for isRenamed in [false, true] {
      let machine = linux.copy()
      machine.showsMemory = true
      // As of a kernel that has other names for what is looked for.
      if isRenamed { machine.files[path] = Array("ffffbd3099200000 T _text\n".utf8) }
      _ = Baton.run(command, system: machine)
      #expect(machine.readCounts[path] == 1)
    }
  }

  @Test func `Symbols are read as far as they are needed, whole lines across the parts of a read`()
    throws
  {
    let linux = try loaded(try .reserving())
    let path = "/proc/kallsyms"
    let needed = try #require(linux.files[path])
    let other = "\(String(FakeLinux.code + 0x310, radix: 16)) t some_other_function\n"
    // Each place of a line in a part.
    for filler in 0..<1000 {
      linux.files[path] =
        Array((other + "1 t " + String(repeating: "x", count: filler) + "\n").utf8)
        + needed + Array(String(repeating: other, count: 2000).utf8)
      linux.imagePointers = ImagePointers()
      try #require(linux.loadedImage(in: .crash) != nil)
      try #require(linux.loadedImage(in: .normal) != nil)
    }
    let read = try #require(linux.bytesRead[path])
    #expect(read < 4000 && linux.files[path]?.count ?? 0 > 70_000)
    // Where addresses are hidden, the first line tells.
    linux.files[path] = Array(
      ("0000000000000000 T _text\n" + String(repeating: other, count: 2000)).utf8)
    linux.imagePointers = ImagePointers()
    #expect(linux.loadedImage(in: .crash) == nil)
    #expect(linux.bytesRead[path] == 997)
    // Nor is a file without lines gathered.
    linux.files[path] = [UInt8](repeating: 0x30, count: 1 << 20)
    linux.imagePointers = ImagePointers()
    #expect(linux.loadedImage(in: .crash) == nil)
    #expect(linux.bytesRead[path] ?? .max < 6000)
  }
}
