import Testing

@testable import Lab

@Suite struct BlockLogTests {
  /// As QEMU 10.0.2 writes it.
  @Test func eachExecutionCountsItsBlocksInstructionsForItsCPU() async throws {
    let text = """
      ----------------
      IN:\u{20}
      0x79c00000:  1400002c  b        #0x79c000b0

      Trace 0: 0x7f1c2c000640 [00000000/0000000079c00000/00000021/ff000200]\u{20}
      ----------------
      IN:\u{20}
      0x79c000b0:  d5034fdf  msr      daifset, #0xf
      0x79c000b4:  d51bd05f  msr      tpidr_el0, xzr

      Trace 1: 0x7f1c2c000780 [00000000/0000000079c000b0/00000021/ff000200]\u{20}
      Trace 0: 0x7f1c2c000780 [00000000/0000000079c000b0/00000021/ff000200]\u{20}
      Trace 0: 0x7f1c2c000780 [00000000/0000000079c000b0/00000021/ff000200]\u{20}
      Trace 2: 0x7f1c2c000900 [00000000/0000000079c000f0/00000021/ff000200]\u{20}

      """
    try await HostFile.withTemporaryDirectory { directory in
      try HostFile.write(Array(text.utf8), to: directory + "/log")
      let log = await BlockLog.read(directory + "/log")
      #expect(log.instructions == [0: 5, 1: 2])
      #expect(log.unknown == 1)
    }
  }
}
