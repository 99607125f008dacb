import TestSupport
import Testing

@testable import Lab

@Suite struct LineAssemblyTests {
  @Test func progressIsNoPartOfTheLineBehindIt() {
    var assembly = LineAssembly()
    let text = "\rloading: 1 of 2\u{1B}[K\rloading: 2 of 2\u{1B}[K\r\u{1B}[Kloaded\r\nnext\r\n"
    // Sound: as below.
    #expect(unsafe assembly.append(Array(text.utf8).span.bytes) == ["loaded", "next"])
  }

  @Test func linesDoNotDependOnHowTheirBytesArrive() {
    let text = "first\r\n\r\nthird … line\nrest"
    for seed in 0..<50 as Range<UInt64> {
      var generator = SeededGenerator(seed: seed)
      var assembly = LineAssembly()
      var rest = Array(text.utf8)[...]
      while !rest.isEmpty {
        let piece = Array(rest.prefix(.random(in: 1...5, using: &generator)))
        rest = rest.dropFirst(piece.count)
        // Sound: bytes have no padding, and the array outlives the call.
        _ = unsafe assembly.append(piece.span.bytes)
      }
      #expect(assembly.finish() == ["rest"], "seed \(seed)")
      #expect(assembly.lines == ["first", "", "third … line", "rest"], "seed \(seed)")
    }
  }
}
