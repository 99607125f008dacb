import BatonCommand
import BootFormats
import LinuxHost
import PhysicalMemory
import TestSupport
import Testing

/// Files are untrusted: whatever stands in them, a load is refused with a sentence or is right.
@Suite struct DamagedFileTests {
  private static let load = [
    "-l", "/boot/Image", "--initrd=/boot/initrd", "--reuse-cmdline", "--append=quiet",
  ]
  /// The files whose bytes mean something; the Image's header and no more of it.
  private static let damageable = [
    "/boot/Image", "/proc/cmdline", "/proc/interrupts", "/proc/iomem", "/sys/firmware/fdt",
  ]

  @Test(arguments: 0..<24 as Range<UInt64>)
  func `Damaged bytes are refused, or what is loaded lies in free memory`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for round in 0..<16 {
      let linux = try FakeLinux.machine()
      linux.files["/boot/Image"] = Array(FakeLinux.kernelImage.prefix(5000))
      for _ in 0..<Int.random(in: 1...2, using: &generator) {
        let path = try #require(Self.damageable.randomElement(using: &generator))
        var bytes = try #require(linux.files[path])
        damage(&bytes, of: path, using: &generator)
        linux.files[path] = bytes
      }
      let status = Baton.run(Self.load, system: linux)
      let comment: Comment = "seed \(seed), round \(round): \(linux.complaints)"
      guard status == .success else {
        #expect(linux.effects.isEmpty, comment)
        #expect(linux.complaints.hasPrefix("baton: "), comment)
        continue
      }
      try expectFree(linux, comment)
    }
  }

  @Test(arguments: [
    // Registers at the very end of the address space, and just beyond the tables' reach.
    (0xffff_ffff_ffff_f000 as UInt64, 0xfff as UInt64), (1 << 48, 0x1000), (1 << 50, 0x1000),
    (0xffff_ffff_ffff_ffff, 0),
  ])
  func `A console that no table reaches is none`(place: UInt64, size: UInt64) throws {
    let linux = try FakeLinux.machine()
    linux.files["/sys/firmware/fdt"] = try FakeLinux.tree(console: place, size: size)
      .serialized()
    #expect(Baton.run(Self.load + ["-d"], system: linux) == .success)
    #expect(linux.complaints.hasPrefix("baton: warning: no console"))
    #expect(linux.output.contains("console none"))
  }

  private func damage(
    _ bytes: inout [UInt8], of path: String, using generator: inout SeededGenerator
  ) {
    if Int.random(in: 0..<8, using: &generator) == 0 {
      bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
    }
    let end = path == "/boot/Image" ? min(64, bytes.count) : bytes.count
    guard end > 0 else { return }
    let isText = path.hasPrefix("/proc")
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let place = Int.random(in: 0..<end, using: &generator)
      // Other digits keep text in form, so that more of it is understood.
      bytes[place] =
        isText && Bool.random(using: &generator)
        ? Array("0123456789abcdef".utf8).randomElement(using: &generator) ?? 0x30
        : UInt8.random(in: 0...255, using: &generator)
    }
  }

  private func expectFree(_ linux: FakeLinux, _ comment: Comment) throws {
    let map = try SystemMemoryMap(iomem: try #require(linux.files["/proc/iomem"]))
    var free = map.available
    if let image = map.kernelImage { free.insert(image) }
    guard case .kexecLoad(.normal, _, let segments) = try #require(linux.effects.first) else {
      Issue.record("something else than a load: \(comment)")
      return
    }
    #expect(linux.effects.count == 1, comment)
    #expect(segments.count <= 16, comment)
    for segment in segments {
      let range = try #require(
        PhysicalRange(
          start: PhysicalAddress(segment.destination), size: UInt64(segment.memorySize)))
      #expect(range.start.isAligned(to: 4096) && range.size % 4096 == 0, comment)
      #expect(segment.bytes.count <= segment.memorySize, comment)
      #expect(free.contains(range), comment)
      free.subtract(range)
    }
  }
}
