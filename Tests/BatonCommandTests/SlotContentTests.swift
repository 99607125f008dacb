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

  @Test func `Whatever the kernel's memory holds, it is an image or none`() throws {
    let linux = try loaded(try .reserving())
    let whole = try #require(linux.files["/proc/kcore"])
    let right = try #require(linux.loadedImage(in: .crash))
    #expect(right.destinations.count > 3)
    // Headers, code, variables and the image's fields.
    let parts = [0..<64 + 3 * 56, 0x1100..<0x1120, 0x2010..<0x2020, 0x3800..<0x3800 + 576]
    for index in parts.joined() {
      for value in [0x00, 0x80, 0xff] as [UInt8] {
        linux.files["/proc/kcore"]?[index] = value
        linux.imagePointers = ImagePointers()
        if let image = linux.loadedImage(in: .crash) {
          #expect((1...16).contains(image.destinations.count))
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

  @Test(arguments: [["-S"], ["-S", "--json"], ["-u"], ["-e"], load, load + ["--via=memory"]])
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
