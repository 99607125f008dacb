import Testing

@testable import Lab

@Suite struct InitramfsTests {
  /// Reads an archive the way the kernel does: headers at multiples of 4, sizes from the header.
  private func entries(_ archive: [UInt8]) throws -> [(name: String, mode: Int, contents: [UInt8])]
  {
    var result: [(name: String, mode: Int, contents: [UInt8])] = []
    var offset = 0
    while true {
      func field(_ index: Int) throws -> Int {
        let start = offset + 6 + 8 * index
        return try #require(
          Int(String(decoding: archive[start..<start + 8], as: UTF8.self), radix: 16))
      }
      #expect(offset % 4 == 0)
      #expect(String(decoding: archive[offset..<offset + 6], as: UTF8.self) == "070701")
      let nameSize = try field(11)
      let size = try field(6)
      let name = String(
        decoding: archive[(offset + 110)..<(offset + 109 + nameSize)], as: UTF8.self)
      #expect(archive[offset + 109 + nameSize] == 0)
      let start = (offset + 110 + nameSize + 3) & ~3
      if name == "TRAILER!!!" { return result }
      result.append((name, try field(1), Array(archive[start..<start + size])))
      offset = (start + size + 3) & ~3
    }
  }

  @Test func whatWentInIsInTheArchiveWithTheFoldersAboveIt() throws {
    var image = Initramfs()
    image.addFile("init", [1])
    image.addFile("usr/bin/tool", [1, 2, 3, 4, 5])
    image.addFile("usr/bin/other", [])
    image.addDirectory("proc")
    let found = try entries(image.bytes)
    #expect(
      found.map(\.name) == ["init", "usr", "usr/bin", "usr/bin/tool", "usr/bin/other", "proc"])
    #expect(
      found.map(\.mode)
        == [0o100755, 0o040755, 0o040755, 0o100755, 0o100755, 0o040755])
    #expect(found.map(\.contents) == [[1], [], [], [1, 2, 3, 4, 5], [], []])
    #expect(image.bytes.count % 4 == 0)
  }

  @Test func theSameContentsGiveTheSameBytes() {
    func make() -> [UInt8] {
      var image = Initramfs()
      image.addFile("a/b", [9])
      return image.bytes
    }
    #expect(make() == make())
  }
}
