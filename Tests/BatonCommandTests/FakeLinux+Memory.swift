import LinuxHost

extension FakeLinux {
  /// In the played kernel's image, code and data; behind the linear map's beginning the images.
  static let code: UInt64 = 0xffff_bd30_9921_0000
  private static let data = code + 0x1000
  static let heap: UInt64 = 0xffff_0000_0123_4000

  /// Puts what the slots hold where an arm64 kernel would have it, and shows that.
  func showMemory() {
    let symbols: [(UInt64, String)] = [
      (Self.code - 0x210_0000, "T _text"), (Self.code, "T kexec_crash_load"),
      (Self.code + 0x100, "T kexec_crash_loaded"), (Self.code + 0x200, "t kexec_loaded_show"),
      (Self.code + 0x300, "t kexec_loaded_show\t[other]"),
    ]
    files["/proc/kallsyms"] = Array(
      symbols.map { String($0.0, radix: 16) + " " + $0.1 + "\n" }.joined().utf8)

    var text = [UInt8](repeating: 0, count: 0x2000)
    func put(_ value: UInt64, _ size: Int, at offset: Int, in bytes: inout [UInt8]) {
      for index in 0..<size {
        bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
      }
    }
    // bti c; adrp x0, data (one page on); add x0, x0, #0x18; ldr x0, [x0]; cmp x0, #0; cset; ret
    let crash: [UInt64] = [
      0xD503_245F, 0xB000_0000, 0x9100_6000, 0xF940_0000, 0xF100_001F, 0x1A9F_07E0, 0xD65F_03C0,
    ]
    // paciasp; stp; adrp x3, data; mov x0, x2; adrp x1, text; add x1, x1, #8; ldr x2, [x3, #0x10]
    let normal: [UInt64] = [
      0xD503_233F, 0xA9BF_7BFD, 0xB000_0003, 0xAA02_03E0, 0x9000_0001, 0x9100_2021, 0xF940_0862,
    ]
    for (index, instruction) in crash.enumerated() {
      put(instruction, 4, at: 0x100 + 4 * index, in: &text)
    }
    for (index, instruction) in normal.enumerated() {
      put(instruction, 4, at: 0x200 + 4 * index, in: &text)
    }
    var heap = [UInt8](repeating: 0, count: 0x1000)
    for (slot, place, variable) in [(normalSlot, 0, 0x10), (crashSlot, 0x800, 0x18)] {
      let (entry, segments): (UInt64, [Segment])
      switch slot {
      case .kexecLoad(_, let start, let given): (entry, segments) = (start, given)
      case .kexecFileLoad(let slot, _, _, _):
        segments = placedByKernel[slot] ?? []
        entry = segments.first?.destination ?? 0
      default: continue
      }
      put(Self.heap + UInt64(place), 8, at: 0x1000 + variable, in: &text)
      put(entry, 8, at: place + 24, in: &heap)
      put(UInt64(segments.count), 8, at: place + 56, in: &heap)
      for (index, segment) in segments.enumerated() {
        let fields = [
          0x7fff_0000, UInt64(segment.bytes.count), segment.destination,
          UInt64(segment.memorySize),
        ]
        for (field, value) in fields.enumerated() {
          put(value, 8, at: place + 64 + 32 * index + 8 * field, in: &heap)
        }
      }
    }

    var core: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1] + [UInt8](repeating: 0, count: 0xFFA)
    put(64, 8, at: 32, in: &core)
    put(56, 2, at: 54, in: &core)
    put(3, 2, at: 56, in: &core)
    let parts: [(UInt64, UInt64, UInt64, Int)] = [
      (4, 0x800, 0, 0), (1, 0x1000, Self.code, text.count),
      (1, 0x1000 + UInt64(text.count), Self.heap, heap.count),
    ]
    for (index, part) in parts.enumerated() {
      let header = 64 + 56 * index
      put(part.0, 4, at: header, in: &core)
      put(part.1, 8, at: header + 8, in: &core)
      put(part.2, 8, at: header + 16, in: &core)
      put(UInt64(part.3), 8, at: header + 32, in: &core)
    }
    files["/proc/kcore"] = core + text + heap
  }

  /// As the kernel places files: kernel, initrd and a tree with the command line, one behind the other.
  func placing(
    kernel: String, initrd: FileLoadInitrd, commandLine: [UInt8], slot: KexecSlot
  ) -> [Segment] {
    var contents = [files[kernel] ?? []]
    switch initrd {
    case .none: break
    case .file(let path): contents.append(files[path] ?? [])
    case .zeros(let count): contents.append([UInt8](repeating: 0, count: count))
    }
    contents.append([UInt8](repeating: 0, count: 1000) + commandLine)
    var segments: [Segment] = []
    var next: UInt64 = slot == .normal ? 0x4200_0000 : 0xa000_0000
    for content in contents {
      let size = (content.count + 0xfff) & ~0xfff
      segments.append(Segment(bytes: content, destination: next, memorySize: size))
      next += UInt64(size)
    }
    return segments
  }
}
