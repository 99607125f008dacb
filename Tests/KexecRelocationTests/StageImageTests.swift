import CBatonArm64
import TestSupport
import Testing

@testable import KexecRelocation

@Suite("stage.bin")
struct StageImageTests {
  @Test("A well-formed file is taken apart")
  func sections() throws {
    let file = SyntheticStage.file()
    let image = try SyntheticStage.image(file)
    #expect(image.code.words.count * 8 == 0x1200)
    #expect(image.constants.words.count * 8 == 0x280)
    #expect(image.writable.words.isEmpty && image.writable.memorySize == 0x3000)
    #expect(image.blockOffset == 0x30000)
    #expect(image.buildID == [UInt8](file[0x1210..<0x1224]))
    #expect(image.buildIDText.count == 40)
  }

  @Test("The lifeline lands where the stage looks for it")
  func lifeline() throws {
    var image = try SyntheticStage.image()
    let lifeline = Lifeline(console: .none, conduit: .hvc, haltsOnFailure: true)
    image.setLifeline(lifeline)
    let header = unsafe image.code.words.withUnsafeBytes {
      // Sound: the code section begins with a header.
      unsafe $0.loadUnaligned(as: baton_stage_header.self)
    }
    #expect(Lifeline(header.lifeline) == lifeline)
  }

  @Test("Every truncation and any header of noise is an error or a well-formed image, never a trap")
  func malformed() {
    let file = SyntheticStage.file()
    for length in 0..<0x1480 {
      #expect(throws: StageImage.Malformed.self) {
        try SyntheticStage.image([UInt8](file[..<length]))
      }
    }
    let seed: UInt64 = 0xBA70_0003
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<5000 {
      var damaged = file
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        damaged[Int.random(in: 0..<112, using: &generator)] = UInt8.random(
          in: .min ... .max, using: &generator)
      }
      if let image = try? SyntheticStage.image(damaged) {
        #expect(image.constants.offset >= image.code.memorySize, "seed \(seed)")
        #expect(image.blockOffset >= image.writable.offset + image.writable.memorySize)
      }
    }
  }
}
