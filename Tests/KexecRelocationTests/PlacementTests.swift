import PhysicalMemory
import TestSupport
import Testing

@testable import KexecRelocation

@Suite("Placement")
struct PlacementTests {
  private static let everything = PhysicalRange(
    PhysicalAddress(0), upTo: PhysicalAddress(1 << 48))

  private func request(
    available: [PhysicalRange], runningKernel: PhysicalRange? = nil,
    kernel: KernelRequirements = KernelRequirements(
      textOffset: 0, memorySize: 30 << 20, mayLieAnywhere: true),
    initrdSize: UInt64 = 1 << 20, bounds: PhysicalRange = everything
  ) -> PlacementRequest {
    PlacementRequest(
      available: PhysicalRangeSet(available), runningKernel: runningKernel, bounds: bounds,
      pageSize: 4096, kernel: kernel, initrdSize: initrdSize, deviceTreeSize: 8000,
      controlSize: 0x3A000, controlAlignment: 0x40000)
  }

  private func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
    PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
  }

  @Test("The next kernel takes the running kernel's place where it fits there")
  func overRunningKernel() throws {
    let placement = try request(
      available: [range(0x4000_0000, 0x4020_0000), range(0x4200_0000, 0xC000_0000)],
      runningKernel: range(0x4021_0000, 0x4200_0000),
      kernel: KernelRequirements(textOffset: 0, memorySize: 0x1E0_0000, mayLieAnywhere: true)
    ).place()
    // The 64 KiB below the running kernel's code are not known to be free: no place there.
    #expect(placement.kernel.start != PhysicalAddress(0x4020_0000))

    let withHead = try request(
      available: [range(0x4000_0000, 0x4021_0000), range(0x4200_0000, 0xC000_0000)],
      runningKernel: range(0x4021_0000, 0x4200_0000),
      kernel: KernelRequirements(textOffset: 0, memorySize: 0x1E0_0000, mayLieAnywhere: true)
    ).place()
    #expect(withHead.kernel.start == PhysicalAddress(0x4020_0000))
  }

  @Test("A kernel that must lie at the start of RAM lies at the lowest place")
  func oldKernel() throws {
    let placement = try request(
      available: [range(0x8000_0000, 0x1_0000_0000)],
      kernel: KernelRequirements(textOffset: 0x8_0000, memorySize: 16 << 20, mayLieAnywhere: false)
    ).place()
    #expect(placement.kernel.start == PhysicalAddress(0x8008_0000))
    #expect(placement.kernel.size == 16 << 20)
  }

  @Test("What does not fit is named with its size")
  func noRoom() {
    #expect(throws: PlacementError.noRoomForKernel(size: 30 << 20)) {
      try request(available: [range(0x4000_0000, 0x4100_0000)]).place()
    }
    #expect(throws: PlacementError.noRoomForInitrd(size: 64 << 20)) {
      try request(available: [range(0x4000_0000, 0x4400_0000)], initrdSize: 64 << 20).place()
    }
    #expect(throws: PlacementError.noRoomForDeviceTree(size: 8000)) {
      try request(available: [range(0x4000_0000, 0x4000_0000 + 30 << 20)], initrdSize: 0).place()
    }
    #expect(throws: PlacementError.noRoomForStage(size: 0x3A000)) {
      try request(available: [range(0x4000_0000, 0x4000_0000 + 30 << 20 + 0x2000)], initrdSize: 0)
        .place()
    }
  }

  @Test("A text_offset inside a page of the running kernel is refused: whole pages are loaded")
  func textOffset() {
    var request = request(
      available: [range(0x4000_0000, 0x8000_0000)],
      kernel: KernelRequirements(textOffset: 0x1000, memorySize: 1 << 20, mayLieAnywhere: true))
    request.pageSize = 65536
    #expect(throws: PlacementError.textOffsetNotPageAligned(0x1000, pageSize: 65536)) {
      try request.place()
    }
  }

  @Test("An initrd out of reach of the kernel is refused, not misplaced")
  func initrdWindow() {
    // 30 MiB for the kernel low, the rest of memory 64 GiB above.
    #expect(throws: PlacementError.noRoomForInitrd(size: 1 << 30)) {
      try request(
        available: [
          range(0x4000_0000, 0x4000_0000 + 30 << 20), range(0x20_0000_0000, 0x28_0000_0000),
        ],
        kernel: KernelRequirements(textOffset: 0, memorySize: 30 << 20, mayLieAnywhere: false),
        initrdSize: 1 << 30
      ).place()
    }
  }

  /// As long as the allocator does not come to the end of the lower zones, it meets no destination.
  @Test(
    "All lies at the end of what is below 4 GiB, where the running kernel's allocator comes last")
  func awayFromTheAllocator() throws {
    let border: UInt64 = 1 << 32
    for gibibytes in 1...16 as ClosedRange<UInt64> {
      let start: UInt64 = 0x4000_0000
      let placement = try request(
        available: [range(start, start + gibibytes << 30)], initrdSize: 96 << 20
      ).place()
      let pieces = [placement.kernel, placement.deviceTree, placement.control, placement.initrd]
      let end = min(start + gibibytes << 30, border)
      for piece in pieces.compactMap({ $0 }) {
        #expect(end - (160 << 20) <= piece.start.rawValue, "\(gibibytes) GiB: \(piece)")
        #expect(piece.end.rawValue <= end, "\(gibibytes) GiB: \(piece)")
      }
    }
  }

  @Test("Where there is too little below 4 GiB, the end of what lies above serves")
  func highMemoryOnly() throws {
    let placement = try request(
      available: [range(0x8000_0000, 0x8100_0000), range(0x80_0000_0000, 0x90_0000_0000)]
    ).place()
    #expect(placement.kernel.end <= PhysicalAddress(0x90_0000_0000))
    #expect(placement.kernel.start.rawValue >= 0x90_0000_0000 - 64 << 20)
    // In reach of that kernel.
    #expect(try #require(placement.initrd).start.rawValue >= 0x90_0000_0000 - 64 << 20)
    #expect(placement.deviceTree.end <= PhysicalAddress(0x8100_0000))
  }

  @Test("Random memory maps: every rule of the boot protocol holds, or there is an error")
  func randomMaps() throws {
    let seed: UInt64 = 0xBA70_0001
    var generator = SeededGenerator(seed: seed)
    var placed = 0
    for round in 0..<2000 {
      var available = PhysicalRangeSet()
      var at: UInt64 = UInt64.random(in: 0..<(1 << 40), using: &generator) & ~0xFFF
      for _ in 0..<Int.random(in: 1...12, using: &generator) {
        at += UInt64.random(in: 1...(64 << 20), using: &generator) & ~0xFFF
        let size = UInt64.random(in: 4096...(512 << 20), using: &generator) & ~0xFFF
        available.insert(PhysicalRange(PhysicalAddress(at), upTo: PhysicalAddress(at + size)))
        at += size
      }
      let kernel = KernelRequirements(
        textOffset: [0, 0x8_0000].randomElement(using: &generator) ?? 0,
        memorySize: UInt64.random(in: 1...(100 << 20), using: &generator),
        mayLieAnywhere: Bool.random(using: &generator))
      let request = PlacementRequest(
        available: available, runningKernel: nil, bounds: Self.everything, pageSize: 4096,
        kernel: kernel, initrdSize: UInt64.random(in: 0...(200 << 20), using: &generator),
        deviceTreeSize: UInt64.random(in: 1...(2 << 20), using: &generator),
        controlSize: UInt64.random(in: 1...(1 << 20), using: &generator) & ~0xFFF + 4096,
        controlAlignment: 0x4_0000)
      guard let placement = try? request.place() else { continue }
      placed += 1
      let comment: Comment = "seed \(seed), round \(round)"
      #expect(
        placement.kernel.start.rawValue % kernel.alignment == kernel.textOffset, comment)
      #expect(placement.kernel.size == kernel.memorySize, comment)
      #expect(placement.deviceTree.start.isAligned(to: 8), comment)
      #expect(placement.control.start.isAligned(to: 0x4_0000), comment)
      var pieces = [placement.kernel, placement.deviceTree, placement.control]
      if let initrd = placement.initrd {
        pieces.append(initrd)
        #expect(initrd.start.isAligned(to: 4096), comment)
        let low = min(initrd.start, placement.kernel.start).alignedDown(to: 1 << 30)
        let high = max(initrd.end, placement.kernel.end).alignedUp(to: 1 << 30)
        #expect(try #require(high) - low <= 32 << 30, comment)
      }
      for (index, piece) in pieces.enumerated() {
        #expect(available.contains(piece), comment)
        for other in pieces[(index + 1)...] {
          // Not even one page belongs to two.
          #expect(
            !(piece.alignedOutward(to: 4096) ?? piece).overlaps(
              other.alignedOutward(to: 4096) ?? other), comment)
        }
      }
    }
    #expect(placed > 500, "the maps leave something to place")
  }
}
