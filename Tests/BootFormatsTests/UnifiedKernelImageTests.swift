import BootFormats
import TestSupport
import Testing

/// Unified kernel images and compressed EFI kernels.
@Suite struct UnifiedKernelImageTests {
  private static let kernel = Array("a kernel".utf8)

  private func parse(_ file: [UInt8]) throws(UnifiedKernelImageError) -> UnifiedKernelImage {
    // Sound, here and below: spans of bytes as the bytes that they are.
    try UnifiedKernelImage(parsing: unsafe file.span.bytes)
  }

  private func zboot(_ file: [UInt8]) throws(EFIZbootError) -> EFIZboot {
    try EFIZboot(parsing: unsafe file.span.bytes)
  }

  @Test func `The sections are found, without their padding`() throws {
    let file = PEFile.file([
      .init(".text", [1]), .init(".osrel", [2]),
      .init(".cmdline", Array("quiet splash\n\0\0".utf8)),
      .init(".initrd", [3, 4, 5]), .init(".linux", Self.kernel), .init(".dtb", [6]),
      .init(".linuxx", [7]),
    ])
    let image = try parse(file)
    #expect(Array(file[image.kernel]) == Self.kernel)
    #expect(Array(file[try #require(image.initrd)]) == [3, 4, 5])
    #expect(Array(file[try #require(image.commandLine)]) == Array("quiet splash".utf8))
    #expect(Array(file[try #require(image.deviceTree)]) == [6])
  }

  @Test func `Of several profiles it is the first, over what they share`() throws {
    let file = PEFile.file([
      .init(".linux", Self.kernel), .init(".cmdline", Array("shared".utf8)),
      .init(".profile", [1]), .init(".cmdline", Array("first".utf8)),
      .init(".profile", [1]), .init(".cmdline", Array("second".utf8)),
    ])
    let line = try #require(try parse(file).commandLine)
    #expect(Array(file[line]) == Array("first".utf8))
  }

  @Test func `What is no unified kernel image is refused for what it is`() throws {
    #expect(throws: UnifiedKernelImageError.notPE) { try parse([]) }
    #expect(throws: UnifiedKernelImageError.notPE) { try parse([UInt8](repeating: 0, count: 999)) }
    #expect(throws: UnifiedKernelImageError.noKernel) { try parse(PEFile.file([])) }
    #expect(throws: UnifiedKernelImageError.noKernel) {
      try parse(PEFile.file([.init(".linux", [])]))
    }
    #expect(throws: UnifiedKernelImageError.wrongMachine(0x8664)) {
      try parse(PEFile.file([.init(".linux", Self.kernel)], machine: 0x8664))
    }
    let file = PEFile.file([.init(".linux", Self.kernel)])
    #expect(
      throws: UnifiedKernelImageError.sectionOutOfBounds(.kernel, end: 1024, fileSize: 1023)
    ) { try parse(Array(file[..<1023])) }
    #expect(throws: UnifiedKernelImageError.truncated(fileSize: 170, expected: 192)) {
      try parse(Array(file[..<170]))
    }
    #expect(throws: UnifiedKernelImageError.truncated(fileSize: 130, expected: 152)) {
      try parse(Array(file[..<130]))
    }
  }

  @Test func `A compressed EFI kernel's payload is found`() throws {
    let file = PEFile.zboot([9, 8, 7], compression: "zstd")
    let image = try zboot(file)
    #expect(Array(file[image.payload]) == [9, 8, 7])
    #expect(image.compression == "zstd")
  }

  @Test func `A compressed EFI kernel that makes no sense is refused`() throws {
    let file = PEFile.zboot([9, 8, 7], compression: "gzip")
    #expect(throws: EFIZbootError.wrongMachine(0x5064)) {
      try zboot(PEFile.zboot([1], compression: "gzip", machine: 0x5064))
    }
    for count in [0, 8, 63] {
      #expect(throws: EFIZbootError.tooShort(fileSize: count)) { try zboot(Array(file[..<count])) }
    }
    #expect(throws: EFIZbootError.payloadOutOfBounds(offset: 0x1000, size: 3, fileSize: 4098)) {
      try zboot(Array(file[..<4098]))
    }
    for (offset, value) in [(8, 0), (8, 63), (12, 0), (12, 0xffff_ffff), (8, 0xffff_ffff)] {
      var damaged = file
      PEFile.store(UInt64(value), 4, at: offset, &damaged)
      #expect(throws: EFIZbootError.self) { try zboot(damaged) }
    }
  }

  @Test func `No truncation and no flipped bit traps or leads out of the file`() throws {
    let unified = PEFile.file([
      .init(".linux", Self.kernel), .init(".cmdline", Array("quiet".utf8)), .init(".dtb", [1]),
    ])
    let compressed = PEFile.zboot([9, 8, 7], compression: "zstd")
    func check(_ file: [UInt8]) {
      if let image = try? parse(file) {
        for range in [image.kernel, image.initrd, image.commandLine, image.deviceTree] {
          #expect((range?.upperBound ?? 0) <= file.count)
        }
      }
      if let image = try? zboot(file) { #expect(image.payload.upperBound <= file.count) }
    }
    for count in 0..<unified.count { check(Array(unified[..<count])) }
    for count in 0..<200 { check(Array(compressed[..<count])) }
    var generator = SeededGenerator(seed: 0xef1)
    for _ in 0..<4000 {
      var file = Bool.random(using: &generator) ? unified : compressed
      // The headers.
      for _ in 0..<Int.random(in: 1...2, using: &generator) {
        file[Int.random(in: 0..<300, using: &generator)] ^=
          1 << UInt8.random(in: 0..<8, using: &generator)
      }
      check(file)
    }
  }
}
