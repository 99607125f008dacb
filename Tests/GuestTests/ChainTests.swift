import Lab
import Testing

@Suite struct ChainTests {
  /// On QEMU's default machine, whose ITS has tables that outlive a kernel.
  @Test func twentyHandoffsInARowSucceed() async throws {
    let workspace = Workspace()
    var machine = Machine()
    machine.hasITS = true
    let chain = try HandoffChain(debian: "6.1", length: 20, on: machine, in: workspace)
    // It throws where one of them fails.
    let run = try await GuestSlots.shared.withGuest { try await chain.run(in: workspace) }
    #expect(run.end == .poweredOff)
  }
}
