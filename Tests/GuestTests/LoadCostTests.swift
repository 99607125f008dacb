import Lab
import Testing

/// What `kexec_load(2)` costs depends on where destinations lie: a page of the running kernel's
/// allocator that is one costs something at each control page. From 5.16 on there is one for each
/// 2 MiB of RAM, so a bad place shows on a large machine.
@Suite struct LoadCostTests {
  /// Guest instructions of a verified `-l`.
  private func load(_ kernel: String, gibibytes: Int, ballast: Int = 0) async throws -> UInt64 {
    let workspace = Workspace()
    var handoff = try Handoff(debian: kernel, in: workspace)
    handoff.machine.memory = gibibytes * 1024
    handoff.ballast = ballast
    let prepared = handoff
    return try await GuestSlots.shared.withGuest {
      try await prepared.run(in: workspace).measurement.load
    }
  }

  /// The kernel copies the tables of its linear map, page by page, before each handoff from 5.16
  /// on: 5.8 M instructions for each GiB on 6.1, and 95 M on 6.12, whichever command loads.
  @Test(arguments: [("5.10", 1_000_000), ("6.1", 7_000_000), ("6.12", 100_000_000)])
  func growsWithRAMByTheKernelsCopyOfItsOwnTablesOnly(
    kernel: String, perGibibyte: UInt64
  ) async throws {
    async let small = load(kernel, gibibytes: 2)
    async let large = load(kernel, gibibytes: 8)
    let (two, eight) = try await (small, large)
    #expect(eight <= two + 6 * perGibibyte, "\(two) with 2 GiB, \(eight) with 8 GiB")
    // What is left without RAM: Baton's own work, and the kernel's copy of what is loaded.
    let own = two - (eight - min(two, eight)) / 3
    #expect(own <= 130_000_000, "\(two) with 2 GiB, \(eight) with 8 GiB")
  }

  /// With 6 GiB, the middle of memory is where the allocator's upper zone begins.
  @Test func aLargeInitrdOnAMachineOf6GiBStaysOutOfTheAllocatorsWay() async throws {
    let cost = try await load("6.12", gibibytes: 6, ballast: 96 << 20)
    #expect(cost <= 1_100_000_000)
  }
}
