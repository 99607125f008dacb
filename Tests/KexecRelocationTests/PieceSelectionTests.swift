import Testing

@testable import KexecRelocation

@Suite("Piece selection")
struct PieceSelectionTests {
  @Test("Everything covers every byte once, in pieces of at most 1 MiB")
  func everything() {
    for sizes in [[28_000_001, 1_048_576, 7_999], [1, 0, 1 << 20], [0, 0, 0]] {
      let ranges = PieceSelection.everything.ranges(ofSegments: sizes)
      for (size, slices) in zip(sizes, ranges) {
        var next = 0
        for slice in slices {
          #expect(slice.lowerBound == next)
          #expect(!slice.isEmpty && slice.count <= 1 << 20)
          next = slice.upperBound
        }
        #expect(next == size)
      }
    }
  }

  @Test(
    "A sample is 64 pages, each segment's first and last among them",
    arguments: [[28_000_001, 1_048_576, 7_999], [400 << 20, 4096 * 40, 9000], [1 << 20, 1, 1]])
  func sample(sizes: [Int]) throws {
    let ranges = PieceSelection.sample(count: 64).ranges(ofSegments: sizes)
    var count = 0
    for (size, pages) in zip(sizes, ranges) {
      #expect(try #require(pages.first).lowerBound == 0)
      #expect(try #require(pages.last).upperBound == size)
      for (a, b) in zip(pages, pages.dropFirst()) { #expect(a.upperBound <= b.lowerBound) }
      for page in pages { #expect(page.count <= 4096 && page.lowerBound % 4096 == 0) }
      count += pages.count
    }
    #expect(count == 64)
  }

  @Test("Of few pages a sample takes all")
  func small() {
    let ranges = PieceSelection.sample(count: 64).ranges(ofSegments: [4096 * 10, 100, 0])
    #expect(ranges.map(\.count) == [10, 1, 0])
  }
}
