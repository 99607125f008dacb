import Lab
import Testing

@Suite struct ChainTests {
  @Test func twentyHandoffsInARowSucceed() async throws {
    let workspace = Workspace()
    let chain = try HandoffChain(debian: "6.1", length: 20, on: Machine(), in: workspace)
    // It throws where one of them fails.
    let run = try await GuestSlots.shared.withGuest { try await chain.run(in: workspace) }
    #expect(run.end == .poweredOff)
  }
}
