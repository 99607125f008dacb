import BootFormats
import PhysicalMemory
import TestSupport
import Testing

/// A file of `size` bytes that begins with an Image header, as booting.rst lays it out.
private func image(
  size: Int = 4096, textOffset: UInt64 = 0, imageSize: UInt64 = 0x20_0000, flags: UInt64 = 0b1010
) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: max(size, 64))
  bytes.store(textOffset, at: 8)
  bytes.store(imageSize, at: 16)
  bytes.store(flags, at: 24)
  bytes.store(0x644d_5241 as UInt32, at: 56)
  return Array(bytes.prefix(size))
}

extension [UInt8] {
  fileprivate mutating func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
    for index in 0..<Value.bitWidth / 8 {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> Value(8 * index))
    }
  }
}

/// Sound in both: the elements are bytes, so that there is no padding among them.
private func parseImage(_ file: [UInt8]) throws(ImageError) -> Arm64Image {
  try Arm64Image(parsing: unsafe file.span.bytes)
}

private func recognize(_ file: [UInt8]) -> FileFormat {
  FileFormat(recognizing: unsafe file.span.bytes)
}

struct Arm64ImageTests {
  @Test("A current kernel's header is read as the boot protocol lays it out")
  func header() throws {
    let image = try parseImage(image(imageSize: 0x1f0_0000))
    #expect(image.textOffset == 0)
    #expect(image.imageSize == 0x1f0_0000)
    #expect(image.pageSize == .size4K)
    #expect(image.allowsAnyPlacement)
    #expect(image.fileSize == 4096)
  }

  @Test("Every combination of page size and placement is read from the flags")
  func flags() throws {
    for (bits, pageSize) in [nil, Granule.size4K, .size16K, .size64K].enumerated() {
      for anywhere in [false, true] {
        let image = try parseImage(image(flags: UInt64(bits) << 1 | (anywhere ? 8 : 0)))
        #expect(image.pageSize == pageSize)
        #expect(image.allowsAnyPlacement == anywhere)
      }
    }
  }

  @Test("An old kernel's text offset is kept")
  func textOffset() throws {
    #expect(try parseImage(image(textOffset: 0x8_0000)).textOffset == 0x8_0000)
  }

  @Test("What cannot be started is refused with the value that says why")
  func refused() {
    let files: [([UInt8], ImageError)] = [
      ([], .tooShort(fileSize: 0)),
      (image(size: 63), .tooShort(fileSize: 63)),
      ([UInt8](repeating: 0, count: 4096), .notAnImage(format: .unknown)),
      ([0x1f, 0x8b, 8, 0], .notAnImage(format: .gzip)),
      (image(flags: 0b1011), .bigEndian),
      (image(imageSize: 0), .imageSizeZero),
      (
        image(textOffset: .max, imageSize: 0x10_0000),
        .outOfRange(textOffset: .max, imageSize: 0x10_0000)
      ),
      (image(imageSize: 1 << 60), .outOfRange(textOffset: 0, imageSize: 1 << 60)),
      (image(imageSize: 4095), .longerThanImage(fileSize: 4096, imageSize: 4095)),
    ]
    for (file, error) in files {
      #expect(throws: error) { try parseImage(file) }
    }
  }

  /// An Image with a PE header whose only section ends at byte 4096 of the file.
  private func imageWithSections() -> [UInt8] {
    var file = image()
    file[0] = 0x4d
    file[1] = 0x5a
    file.store(64 as UInt32, at: 60)
    file.store(0x0000_4550 as UInt32, at: 64)
    file.store(1 as UInt16, at: 64 + 6)
    file.store(160 as UInt16, at: 64 + 20)
    let section = 64 + 24 + 160
    file.store(3072 as UInt32, at: section + 16)
    file.store(1024 as UInt32, at: section + 20)
    return file
  }

  @Test("A file that was cut off is noticed by its own section table, wherever it was cut")
  func truncated() throws {
    let file = imageWithSections()
    #expect(try parseImage(file).fileSize == 4096)
    for size in 64..<4096 {
      #expect(throws: ImageError.self, "\(size)") { try parseImage(Array(file.prefix(size))) }
    }
    #expect(throws: ImageError.truncated(fileSize: 4095, expected: 4096)) {
      try parseImage(Array(file.prefix(4095)))
    }
  }

  @Test("Whatever bytes a header has, reading it ends in a value or an error")
  func randomHeaders() {
    for seed in 0..<2000 as Range<UInt64> {
      var generator = SeededGenerator(seed: seed)
      var file = imageWithSections()
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        file[Int.random(in: 0..<300, using: &generator)] = UInt8(
          truncatingIfNeeded: generator.next())
      }
      if let image = try? parseImage(file) {
        #expect(image.imageSize >= UInt64(image.fileSize), "seed \(seed)")
      }
    }
  }
}

struct FileFormatTests {
  @Test("Files are known by their first bytes")
  func byFirstBytes() {
    let files: [([UInt8], FileFormat)] = [
      (image(), .arm64Image),
      ([0x1f, 0x8b, 0x08, 0x00], .gzip),
      (Array("BZh91AY".utf8), .bzip2),
      ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], .xz),
      ([0x5d, 0x00, 0x00, 0x80, 0x00], .lzma),
      ([0x04, 0x22, 0x4d, 0x18], .lz4),
      ([0x02, 0x21, 0x4c, 0x18], .lz4),
      ([0x28, 0xb5, 0x2f, 0xfd], .zstd),
      (Array("\u{7f}ELF".utf8), .elf),
      (Array("MZ\0\0zimg".utf8), .efiZboot),
      (Array("MZ\0\0".utf8), .peExecutable),
      ([0x27, 0x05, 0x19, 0x56], .uImage),
      ([0xd0, 0x0d, 0xfe, 0xed], .deviceTree),
      (Array("070701".utf8), .cpio),
      (Array("hello, world".utf8), .unknown),
      ([0x1f], .unknown),
      ([], .unknown),
    ]
    for (file, format) in files {
      #expect(recognize(file) == format)
    }
  }

  @Test("Kernels of other machines are known by what stands deeper inside")
  func otherKernels() {
    var zImage = [UInt8](repeating: 0, count: 64)
    zImage.store(0x016f_2818 as UInt32, at: 0x24)
    #expect(recognize(zImage) == .zImage)
    var bzImage = [UInt8](repeating: 0, count: 1024)
    bzImage.store(0xaa55 as UInt16, at: 510)
    bzImage.store(0x5372_6448 as UInt32, at: 0x202)
    #expect(recognize(bzImage) == .bzImage)
    bzImage.store(0x5a4d as UInt16, at: 0)
    #expect(recognize(bzImage) == .bzImage)
  }
}
