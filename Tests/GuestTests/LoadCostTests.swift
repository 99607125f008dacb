import Lab
import Testing

/// What `kexec_load(2)` costs depends on where destinations lie: a page of the running kernel's
/// allocator that is one costs something at each control page. From 5.16 on there are many for each
/// 2 MiB of RAM, so a bad place shows on a large machine, and where much of it is in use.
@Suite struct LoadCostTests {
  /// Guest instructions of a verified `-l`.
  ///
  /// - Parameters:
  ///   - memory: RAM in MiB.
  ///   - arguments: for the first kernel's command line.
  ///   - ballast: bytes by which the initrd is larger.
  ///   - used: bytes that are in use.
  private func load(
    _ kernel: String, memory: Int, arguments: String = "", ballast: Int = 0, used: Int = 0
  ) async throws -> UInt64 {
    let workspace = Workspace()
    var handoff = try Handoff(debian: kernel, in: workspace)
    handoff.machine.memory = memory
    handoff.machine.commandLine = arguments
    handoff.ballast = ballast
    handoff.memoryInUse = used
    let prepared = handoff
    return try await GuestSlots.shared.withGuest {
      try await prepared.run(in: workspace).measurement.load
    }
  }

  /// 5.10 copies no tables of its own, and the later ones few where their linear map is of large
  /// blocks. 6.12 copies them several times over, and has such a map only where KFENCE has its
  /// pages from the beginning.
  @Test(arguments: [
    ("5.10", "", 1.1), ("6.1", "rodata=on", 1.1),
    ("6.12", "rodata=on kfence.sample_interval=100", 1.3),
  ])
  func growsLittleWithRAMWhereTheKernelHasFewTablesToCopy(
    kernel: String, arguments: String, factor: Double
  ) async throws {
    async let small = load(kernel, memory: 2048, arguments: arguments)
    async let large = load(kernel, memory: 8192, arguments: arguments)
    let (two, eight) = try await (Double(small), Double(large))
    #expect(eight <= factor * two, "\(two) with 2 GiB, \(eight) with 8 GiB")
  }

  /// Its linear map in pages, the kernel copies all its tables before each handoff: 5.8 M
  /// instructions for each GiB on 6.1, and 95 M on 6.12, whichever command loads.
  @Test(.matrix, arguments: [("6.1", 7_000_000), ("6.12", 100_000_000)])
  func growsWithRAMByTheKernelsCopyOfItsOwnTablesOnly(
    kernel: String, perGibibyte: UInt64
  ) async throws {
    async let small = load(kernel, memory: 2048)
    async let large = load(kernel, memory: 8192)
    let (two, eight) = try await (small, large)
    #expect(eight <= two + 6 * perGibibyte, "\(two) with 2 GiB, \(eight) with 8 GiB")
    // What is left without RAM: Baton's own work, and the kernel's copy of what is loaded.
    let own = two - (eight - min(two, eight)) / 3
    #expect(own <= 130_000_000, "\(two) with 2 GiB, \(eight) with 8 GiB")
  }

  /// Two thirds of memory are in use when the control pages are looked for.
  @Test func aLargeInitrdInMuchUsedMemoryStaysOutOfTheAllocatorsWay() async throws {
    let cost = try await load("6.12", memory: 1024, ballast: 96 << 20, used: 320 << 20)
    #expect(cost <= 700_000_000)
  }

  /// With 6 GiB, the middle of memory is where the allocator's upper zone begins.
  @Test(.matrix) func aLargeInitrdOnAMachineOf6GiBStaysOutOfTheAllocatorsWay() async throws {
    let cost = try await load("6.12", memory: 6144, ballast: 96 << 20)
    #expect(cost <= 1_100_000_000)
  }
}
