/// What the kernel says about itself to who reads its dumps: vmcoreinfo (Linux
/// Documentation/admin-guide/kdump/vmcoreinfo.rst), lines such as
/// `NUMBER(kimage_voffset)=0xffff7fffc8000000`.
public struct CoreInfo: Sendable {
  private let text: ArraySlice<UInt8>

  /// - Parameter text: untrusted.
  public init(_ text: ArraySlice<UInt8>) {
    self.text = text
  }

  /// The running kernel's, or nil where it does not show it: it stands in a note of /proc/kcore
  /// (since Linux 4.19), which lockdown hides.
  public init?<System: LinuxSystem>(_ system: System) {
    let core: [UInt8]
    do throws(Errno) { core = try system.read("/proc/kcore", limit: Self.readLimit) } catch {
      return nil
    }
    self.init(core: core)
  }

  /// The note of that name in an ELF core file, of which `core` is the beginning.
  init?(core: [UInt8]) {
    func number(_ offset: Int, _ size: Int) -> Int? {
      guard offset >= 0, offset <= core.count - size else { return nil }
      var value: UInt64 = 0
      for byte in core[offset..<offset + size].reversed() { value = value << 8 | UInt64(byte) }
      return Int(exactly: value)
    }
    guard core.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]), let headers = number(32, 8),
      let size = number(54, 2), size >= 56, let count = number(56, 2)
    else { return nil }
    for index in 0..<count {
      let (header, overflow) = headers.addingReportingOverflow(index * size)
      guard !overflow, let type = number(header, 4) else { return nil }
      guard type == 4, let start = number(header + 8, 8), let length = number(header + 32, 8),
        start <= core.count, length <= core.count - start
      else { continue }
      // Each: the sizes of name and content, a type, then both, padded to multiples of four.
      var note = start
      while let nameSize = number(note, 4), let contentSize = number(note + 4, 4),
        nameSize <= length, contentSize <= length
      {
        let name = note + 12
        let content = name + (nameSize + 3) & ~3
        guard content + contentSize <= start + length else { break }
        if core[name..<name + nameSize].elementsEqual("VMCOREINFO\0".utf8) {
          self.init(core[content..<content + contentSize])
          return
        }
        note = content + (contentSize + 3) & ~3
      }
    }
    return nil
  }

  /// In bytes: the headers and notes come first in the file, which then goes on with all memory.
  private static var readLimit: Int { 1 << 20 }

  /// The number behind `NUMBER(key)=`, decimal or behind 0x, or nil where there is none.
  public func number(_ key: StaticString) -> UInt64? {
    for line in TextLines(Array(text)) {
      guard line.starts(with: "NUMBER(".utf8), let equals = line.firstIndex(of: 0x3d),
        line[..<equals].last == 0x29,
        line[(line.startIndex + 7)..<(equals - 1)].equals(key)
      else { continue }
      let value = line[(equals + 1)...]
      return value.starts(with: "0x".utf8)
        ? value.dropFirst(2).number(radix: 16) : value.number(radix: 10)
    }
    return nil
  }
}
