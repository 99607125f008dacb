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
    func number(_ offset: Int) -> Int? { core.number(at: offset, 4).map { Int($0) } }
    guard let elf = ElfCore(core) else { return nil }
    for part in elf.parts where part.type == ElfCore.note {
      guard let start = Int(exactly: part.offset), let length = Int(exactly: part.size),
        start <= core.count, length <= core.count - start
      else { continue }
      // Each: the sizes of name and content, a type, then both, padded to multiples of four.
      var note = start
      while let nameSize = number(note), let contentSize = number(note + 4),
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
