/// PE executables, byte by byte, as far as Baton reads them.
public enum PEFile {
  public struct Section: Sendable {
    public var name: String
    public var content: [UInt8]

    public init(_ name: String, _ content: [UInt8]) {
      self.name = name
      self.content = content
    }
  }

  public static let arm64: UInt16 = 0xaa64

  /// An executable of these sections, in the file padded to 512 bytes each, as ukify writes them.
  public static func file(_ sections: [Section], machine: UInt16 = arm64) -> [UInt8] {
    var file = [UInt8](repeating: 0, count: 0x80 + 24 + 40 * sections.count)
    store(0x5a4d, 2, at: 0, &file)
    store(0x80, 4, at: 60, &file)
    store(0x4550, 4, at: 0x80, &file)
    store(UInt64(machine), 2, at: 0x84, &file)
    store(UInt64(sections.count), 2, at: 0x86, &file)
    for (index, section) in sections.enumerated() {
      pad(&file, to: 512)
      let entry = 0x80 + 24 + 40 * index
      file.replaceSubrange(entry..<entry + section.name.utf8.count, with: section.name.utf8)
      store(UInt64(section.content.count), 4, at: entry + 8, &file)
      store(UInt64((section.content.count + 511) & ~511), 4, at: entry + 16, &file)
      store(UInt64(file.count), 4, at: entry + 20, &file)
      file += section.content
    }
    pad(&file, to: 512)
    return file
  }

  /// A compressed EFI kernel (CONFIG_EFI_ZBOOT) around `payload`. Its build appends the content's
  /// size behind all payloads but gzip's; the header does not count it.
  public static func zboot(
    _ payload: [UInt8], compression: String, machine: UInt16 = arm64
  ) -> [UInt8] {
    var file = [UInt8](repeating: 0, count: 0x1000)
    store(0x5a4d, 2, at: 0, &file)
    file.replaceSubrange(4..<8, with: "zimg".utf8)
    store(0x1000, 4, at: 8, &file)
    store(UInt64(payload.count), 4, at: 12, &file)
    file.replaceSubrange(24..<24 + compression.utf8.count, with: compression.utf8)
    store(0x8182_23cd, 4, at: 56, &file)
    store(0x40, 4, at: 60, &file)
    store(0x4550, 4, at: 0x40, &file)
    store(UInt64(machine), 2, at: 0x44, &file)
    file += payload + [1, 2, 3, 4]
    return file
  }

  /// Stores the low bytes of a number, little-endian.
  public static func store(_ value: UInt64, _ size: Int, at offset: Int, _ file: inout [UInt8]) {
    for index in 0..<size {
      file[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
    }
  }

  private static func pad(_ file: inout [UInt8], to alignment: Int) {
    file += [UInt8](repeating: 0, count: -file.count & (alignment - 1))
  }
}
