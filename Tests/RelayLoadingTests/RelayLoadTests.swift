import ArmTranslation
import BootDigests
import CStageImage
import KexecRelocation
import PhysicalMemory
import Testing

@testable import RelayLoading

@Suite("Loading for a relocation")
struct RelayLoadTests {
  /// Memory that takes everything and keeps nothing: where pages go is what is tested.
  private struct NoMemory: LoaderMemory {
    func write(_ bytes: RawSpan, at address: PhysicalAddress) {}
    func clear(_ range: PhysicalRange) {}
    func clean(_ range: PhysicalRange) {}
    func read<Result, Failure>(
      _ range: PhysicalRange, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
      let bytes = [UInt8](repeating: 0, count: Int(range.size))
      return try unsafe body(bytes.span.bytes)
    }
    var ticks: UInt64 { 0 }
  }

  private static let ram = PhysicalRange(
    PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0x4800_0000))

  private static let segments = [
    LoadSegment(
      .kernel, .bytes([UInt8](repeating: 1, count: 70_000)), at: PhysicalAddress(0x4020_0000)),
    LoadSegment(
      .deviceTree, .bytes([UInt8](repeating: 2, count: 100)), at: PhysicalAddress(0x4040_0000)),
  ]

  private func request(_ system: RelocationSystem, _ regime: TranslationRegime) throws
    -> RelayLoad.Request
  {
    // Sound: the array and its size are constants of this program.
    let stage = try unsafe StageImage(
      UnsafeRawBufferPointer(start: baton_stage_image(), count: baton_stage_image_size()))
    let memory = PhysicalRangeSet([Self.ram])
    var free = memory
    for segment in Self.segments {
      free.subtract(try #require(segment.destination.alignedOutward(to: 65536)))
    }
    return RelayLoad.Request(
      system: system, regime: regime, granule: .size4K,
      lifeline: Lifeline(console: .none, conduit: .smc), redistributors: [], mappable: memory,
      free: free, digests: .portable, stage: stage, entry: PhysicalAddress(0x4020_0000),
      arguments: (0x4040_0000, 0, 0, 0))
  }

  @Test(
    "Each page that is not there fails the load cleanly, and every other is given back",
    arguments: RelocationSystem.allCases)
  func failingPages(_ system: RelocationSystem) throws {
    let request = try request(system, .el1)
    var whole = try RelayLoad.supply(for: Self.segments, request, layout: .worst)
    let load = try RelayLoad(Self.segments, request, from: &whole, into: NoMemory())
    #expect(load.pages == 19)
    #expect(whole.outstanding == (system == .none ? 0 : 19))
    for failing in 1..<(whole.requests + 1) {
      var supply = try RelayLoad.supply(for: Self.segments, request, layout: .worst)
      supply.failingRequest = failing
      #expect(throws: RelayFailure.noMemory(pages: failing - 1)) {
        _ = try RelayLoad(Self.segments, request, from: &supply, into: NoMemory())
      }
      #expect(supply.outstanding == 0)
    }
  }

  @Test("Memory that has no room for the control pages is an error")
  func noRoom() throws {
    var request = try request(.linear, .el2)
    request.free = PhysicalRangeSet([
      PhysicalRange(PhysicalAddress(0x4100_0000), upTo: PhysicalAddress(0x4110_0000))
    ])
    #expect(throws: RelayFailure.noMemory(pages: 0)) {
      _ = try RelayLoad.supply(for: Self.segments, request, layout: .worst)
    }
  }

  @Test("Layouts scatter as they say", arguments: SourceLayout.allCases)
  func layouts(_ layout: SourceLayout) throws {
    let request = try request(.identity, .el2Host)
    var supply = try RelayLoad.supply(for: Self.segments, request, layout: layout)
    let load = try RelayLoad(Self.segments, request, from: &supply, into: NoMemory())
    switch layout {
    case .worst: #expect(load.extents == 19)
    case .typical: #expect(load.extents < 6)
    case .best: #expect(load.extents == 2)
    }
  }
}
