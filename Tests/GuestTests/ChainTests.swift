import Lab
import Testing

@Suite struct ChainTests {
  /// Behind UEFI the second kernel has what it knows of the firmware from the first one's tree, and
  /// hands it on to the third.
  @Test(
    .matrix, arguments: [Machine.Platform.firmwareDeviceTree, .firmwareACPI], [Machine.Level.el2])
  func twoHandoffsInARowSucceedBehindUEFI(
    platform: Machine.Platform, level: Machine.Level
  ) async throws {
    let workspace = Workspace()
    var machine = Machine()
    machine.platform = platform
    machine.level = level
    machine.processors = 2
    let chain = try HandoffChain(debian: "6.1", length: 2, on: machine, in: workspace)
    let run = try await GuestSlots.shared.withGuest { try await chain.run(in: workspace) }
    #expect(run.end == .poweredOff)
    // The first kernel by the firmware's word, the others by what was handed on.
    let isACPI = platform == .firmwareACPI
    #expect(run.lines.count { $0.contains("] efi: EFI v2") } == 3)
    #expect(run.lines.count { $0.contains("] ACPI: RSDP 0x") } == (isACPI ? 3 : 0))
    #expect(
      run.lines.count { $0.contains("] psci: probing for conduit method from ACPI") }
        == (isACPI ? 3 : 0))
  }

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
