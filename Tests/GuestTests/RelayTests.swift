import Foundation
import Lab
import PhysicalMemory
import Testing

/// relay, the first kernel without Linux, on machines: a selection (`make matrix` runs all of it).
@Suite struct RelayTests {
  private func withPayload<Result: Sendable>(
    _ adapt: (inout RelayPayload) throws -> Void = { _ in },
    _ body: @Sendable (String, Workspace) async throws -> Result
  ) async throws -> Result {
    let workspace = Workspace()
    var payload = try await RelayPayload(debian: "6.1", in: workspace)
    try adapt(&payload)
    return try await HostFile.withTemporaryDirectory { directory in
      let image = try await payload.write(to: directory)
      return try await GuestSlots.shared.withGuest { try await body(image, workspace) }
    }
  }

  private func boot(_ run: RelayRun) async throws {
    let workspace = Workspace()
    let payload = try await RelayPayload(debian: "6.1", in: workspace)
    _ = try await GuestSlots.shared.withGuest { try await run.boot(payload, in: workspace) }
  }

  @Test(
    arguments: [
      RelayRun(.off, .el2), RelayRun(.identity, .el1), RelayRun(.linear, .drop),
      RelayRun(.contiguous, .vhe, .size16K), RelayRun(.none, .el1),
      RelayRun(.linear, .el1, .size64K), .high(.linear, .vhe),
    ])
  func theNextKernelComesUpAtTheLevelThatWasEntered(_ run: RelayRun) async throws {
    try await boot(run)
  }

  @Test(.matrix, arguments: [RelayRun.underUBoot(.linear, .el1), .underUBoot(.identity, .el2)])
  func uBootStartsIt(_ run: RelayRun) async throws { try await boot(run) }

  /// relay is an Image like any other.
  @Test(.matrix, arguments: [Machine.Level.el1, .el2])
  func aKernelStartsItByKexec(level: Machine.Level) async throws {
    let run = try await startByKexec("relay.boot=linear", at: level)
    #expect(run.end == .ended, "\(run.lastLines)")
    // By the old kernel's stage to relay, by relay's to the next kernel.
    #expect(run.lines.count { $0.hasPrefix("baton: ") && $0.contains("; starting ") } == 2)
    #expect(run.lines.contains { $0.hasPrefix("relay: linear, 4k, worst: ") })
  }

  /// Linux leaves TTBR1_EL1 set: every departure puts back what relay has found, not what it has while
  /// it runs.
  @Test(.matrix) func aKernelStartsItsBenchByKexec() async throws {
    let run = try await startByKexec("relay.bench=1", at: .el1)
    #expect(run.end == .reset)
    #expect(
      run.lines.contains { $0.hasPrefix("relay: bench: 24 rows; done") }, "\(run.lastLines)")
  }

  private func startByKexec(
    _ arguments: String, at level: Machine.Level
  ) async throws -> GuestRun {
    try await withPayload { image, workspace in
      var handoff = try Handoff(debian: "6.1", in: workspace)
      handoff.machine.level = level
      handoff.secondKernel = try workspace.relay()
      handoff.secondInitrd = image
      handoff.secondArguments = arguments
      return try await handoff.runUnmeasured(in: workspace)
    }
  }

  /// The stage's work under the model of the caches: from relay's first instruction on, so that what
  /// relay left in them counts.
  private func expectCleanCaches(_ run: RelayRun) async throws {
    let workspace = Workspace()
    let payload = try await RelayPayload(debian: "6.1", in: workspace)
    try await GuestSlots.shared.withGuest {
      try await HostFile.withTemporaryDirectory { directory in
        let log = directory + "/caches"
        _ = try await run.boot(
          payload, in: workspace,
          plugin: .init(
            library: try workspace.cachePlugin(), log: log, stage: try workspace.stage(),
            ramStart: run.board == .sbsaReference ? 1 << 40 : nil))
        try CacheTests.expectClean(CacheLog(HostFile.text(of: log)))
      }
    }
  }

  @Test func aRelocationViolatesNothing() async throws {
    try await expectCleanCaches(RelayRun(.off, .el2))
  }

  @Test(.matrix, arguments: RelayRun.System.allCases, RelayRun.Level.allCases)
  func noRelocationViolatesAnything(
    system: RelayRun.System, level: RelayRun.Level
  ) async throws {
    try await expectCleanCaches(RelayRun(system, level))
  }

  /// With larger pages, which the model walks as well, and where memory begins at 2^40.
  @Test(
    .matrix,
    arguments: [
      RelayRun(.contiguous, .el1, .size16K), RelayRun(.linear, .vhe, .size16K),
      RelayRun(.contiguous, .el2, .size64K), RelayRun(.linear, .drop, .size64K),
      .high(.linear, .el2), .high(.contiguous, .vhe),
    ])
  func noRelocationElsewhereViolatesAnything(_ run: RelayRun) async throws {
    try await expectCleanCaches(run)
  }

  /// The steps of the relocation loop's uncached form, which no handoff of Linux's takes: each is taken
  /// away when the loop begins, after the stage has compared its checksum.
  @Test func takingAStepOfTheUncachedFormAwayIsAViolation() async throws {
    let violations = try await withPayload { image, workspace in
      let symbols = try StageSymbols(in: workspace)
      let stage = try workspace.stage()
      let code = try HostFile.bytes(of: stage)
      let words = stride(from: 0, to: code.count - 3, by: 4).map { index in
        code[index..<(index + 4)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      }
      let loop = try #require(symbols.addresses["baton_relocate"])
      let steps = MaintenanceStep.all.filter {
        $0.function == "baton_relocate" && $0.levels.isEmpty
      }
      #expect(steps.count == 2)
      var machine = try RelayRun(.off, .el2).machine(in: workspace)
      machine.initrd = image
      let entry = try await Self.stageEntry(machine, in: workspace)
      machine.startsStopped = true
      var violations: [(MaintenanceStep, CacheLog)] = []
      for step in steps {
        let places = try #require(step.indices(in: words, symbols)).map {
          entry + UInt64(4 * $0)
        }
        violations.append(
          try await HostFile.withTemporaryDirectory { directory in
            let (socket, log) = (directory + "/debug", directory + "/caches")
            machine.debugSocket = socket
            machine.plugin = .init(
              library: try workspace.cachePlugin(), log: log, stage: stage)
            let run = try await machine.run(
              debugger: {
                try await DebugStub.withConnection(to: socket) { stub in
                  try stub.run(to: entry + UInt64(loop))
                  // NOP
                  for place in places { try stub.write([0x1F, 0x20, 0x03, 0xD5], to: place) }
                  try stub.resume()
                }
              },
              line: { line, guest in
                if line.contains("Booting Linux") { await guest.end() }
              })
            #expect(run.end == .ended, "without \(step): \(run.lastLines)")
            return (step, try CacheLog(HostFile.text(of: log)))
          })
      }
      return violations
    }
    for (step, found) in violations {
      #expect(found.jumped, "\(step)")
      #expect((found.counts[step.violation] ?? 0) > 0, "without \(step): \(found.counts)")
    }
  }

  /// Where relay puts the stage, the same each time.
  private static func stageEntry(
    _ machine: Machine, in workspace: Workspace
  ) async throws -> PhysicalAddress {
    let words = "entering the stage at 0x"
    let run = try await machine.run(line: { line, guest in
      if line.contains(words) { await guest.end() }
    })
    let line = try #require(run.lines.first { $0.contains(words) }, "\(run.lastLines)")
    let digits = try #require(line.split(separator: " ").last?.dropFirst(2))
    return PhysicalAddress(try #require(UInt64(digits, radix: 16)))
  }

  /// An HVC where none belongs, at EL1: in the stage's first instruction, when nobody could report it,
  /// and in the loop, when the stage's vectors can.
  @Test(arguments: [nil, "baton_relocate"])
  func whatReachesTheVectorsOfTheDropIsNoWayUp(_ function: String?) async throws {
    let run = try await withPayload { image, workspace in
      var machine = try RelayRun(.linear, .drop).machine(in: workspace)
      machine.initrd = image
      let entry = try await Self.stageEntry(machine, in: workspace)
      let offset = try function.map {
        try #require(StageSymbols(in: workspace).addresses[$0])
      }
      let place = entry + UInt64(offset ?? 0)
      return try await HostFile.withTemporaryDirectory { directory in
        let socket = directory + "/debug"
        machine.debugSocket = socket
        machine.startsStopped = true
        return try await machine.run(debugger: {
          try await DebugStub.withConnection(to: socket) { stub in
            try stub.run(to: place)
            #expect(try stub.exceptionLevel() == 1)
            // HVC #0
            try stub.write([0x02, 0x00, 0x00, 0xD4], to: place)
            try stub.resume()
          }
        })
      }
    }
    #expect(run.end == .reset)
    let last = try #require(run.lines.last { $0.contains(": ") })
    if function == nil {
      #expect(last.contains("entering the stage at"), "\(run.lastLines)")
    } else {
      #expect(last.hasPrefix("baton: exception: "), "\(run.lastLines)")
      #expect(last.contains("ESR 0x5a000000") && last.hasSuffix("; resetting"), "\(last)")
    }
  }

  @Test(arguments: [RelayRun.Level.el1, .el2, .vhe])
  func aSnapshotOfRelayItselfIsRestored(_ level: RelayRun.Level) async throws {
    let workspace = Workspace()
    var machine = try RelayRun(.linear, level).machine(in: workspace)
    machine.commandLine = "relay.hibernate relay.layout=typical relay.level=\(level.rawValue)"
    let prepared = machine
    let run = try await GuestSlots.shared.withGuest { try await prepared.run() }
    #expect(run.end == .reset)
    let name = level == .vhe ? "EL2 (VHE)" : "EL\(level.exceptionLevel)"
    let line = try #require(
      run.lines.first { $0.hasPrefix("relay: resumed at \(name): ") },
      "\(run.lastLines)")
    let bytes = try #require(line.split(separator: " ").compactMap { Int($0) }.first)
    #expect(bytes >= 64 << 20)
  }

  private func bench(
    _ run: RelayRun, mebibytes: Int
  ) async throws -> (table: RelayBenchTable, run: GuestRun) {
    var machine = try run.machine(in: Workspace())
    machine.commandLine = "relay.bench=\(mebibytes) relay.level=\(run.level.rawValue)"
    machine.clocksCountInstructions = true
    let prepared = machine
    let result = try await GuestSlots.shared.withGuest { try await prepared.run() }
    #expect(result.end == .reset)
    return (RelayBenchTable(result), result)
  }

  /// Instructions a page of 4 KiB that moves, cleaning included.
  @Test func everySystemIsMeasuredAndVerified() async throws {
    let (table, run) = try await bench(RelayRun(.linear, .el2), mebibytes: 8)
    // Two granules, four systems, three layouts.
    #expect(table.rows.count == 24, "\(run.lastLines)")
    for row in table.rows where row.name[2] != "off" {
      #expect(row.move <= 460, "\(row.name)")
    }
  }

  /// With FEAT_MOPS; and the upper range's register is left as it was found.
  @Test(.matrix) func copyInstructionsAreUsedWhereThereAreAny() async throws {
    var fastest = RelayRun(.linear, .vhe)
    fastest.cpu = "max"
    let (table, run) = try await bench(fastest, mebibytes: 8)
    #expect(table.rows.count == 36, "\(run.lastLines)")
    for row in table.rows where row.name[2] != "off" {
      #expect(row.move <= 180, "\(row.name)")
    }
  }

  /// Twice the image takes twice the instructions, and no more than 60 a page at worst.
  @Test(.matrix) func extentsAndTablesAreBuiltInLinearTime() async throws {
    let (table, _) = try await bench(RelayRun(.linear, .el2), mebibytes: 120)
    let (half, _) = try await bench(RelayRun(.linear, .el2), mebibytes: 60)
    #expect(table.rows.count == 24 && half.rows.count == 24)
    for (row, half) in zip(table.rows, half.rows) {
      #expect(row.build <= half.build * 1.05, "\(row.name)")
      #expect(row.build <= 60, "\(row.name)")
    }
  }

  /// What relay cannot start, and the sentence that says so.
  struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    let sentence: String
    var arguments = "relay.boot=linear"
    var damage: @Sendable (inout [UInt8]) -> Void = { _ in }
    var hasPayload = true
    var source: String?

    var testDescription: String { name }
  }

  private static func images(_ parts: String, _ configuration: String) -> String {
    "/dts-v1/; / { description = \"p\"; images { \(parts) }; configurations { \(configuration) }; };"
  }

  private static let small =
    "k { description = \"k\"; data = [00]; type = \"kernel\"; arch = \"arm64\"; os = \"linux\"; "
    + "compression = \"none\"; load = <0>; entry = <0>; };"

  static let refusals: [Refusal] = [
    Refusal(name: "none", sentence: "no payload", hasPayload: false),
    Refusal(
      name: "zeros", sentence: "payload: no usable FIT image: ",
      damage: { $0.replaceSubrange(0..<64, with: repeatElement(0, count: 64)) }),
    Refusal(
      name: "an Image", sentence: "payload: no usable FIT image: ",
      damage: { $0 = Array("MZ".utf8) + $0 }),
    Refusal(
      name: "truncated", sentence: "payload: no usable FIT image: ",
      damage: { $0.removeLast($0.count / 2) }),
    Refusal(
      name: "a page of it", sentence: "payload: no usable FIT image: ",
      damage: { $0 = Array($0[..<4096]) }),
    Refusal(
      name: "a flipped byte in the kernel", sentence: "is not what its sha256 says",
      damage: { $0[$0.count / 2] ^= 1 }),
    Refusal(
      name: "a broken structure", sentence: "payload: ",
      damage: { $0.replaceSubrange(56..<76, with: repeatElement(0xFF, count: 20)) }),
    Refusal(
      name: "no images", sentence: "payload: a device tree without /images",
      damage: { bytes in
        let name = Array("images\0".utf8)
        for start in 0..<4096 where bytes[start..<start + name.count].elementsEqual(name) {
          bytes[start] ^= 1
        }
      }),
    Refusal(
      name: "no kernel", sentence: "names no kernel",
      source: images(small, "default = \"c\"; c { description = \"c\"; };")),
    Refusal(
      name: "no such image", sentence: "names x, which is not in the file",
      source: images(small, "default = \"c\"; c { kernel = \"x\"; };")),
    Refusal(
      name: "no such configuration", sentence: "the FIT image has no configuration d",
      source: images(small, "default = \"d\"; c { kernel = \"k\"; };")),
    Refusal(
      name: "one byte of kernel", sentence: "payload's kernel: ",
      source: images(small, "default = \"c\"; c { kernel = \"k\"; };")),
    Refusal(
      name: "a ramdisk as kernel", sentence: "is not a kernel, as its configuration says",
      source: images(
        small.replacingOccurrences(of: "type = \"kernel\"", with: "type = \"ramdisk\""),
        "default = \"c\"; c { kernel = \"k\"; };")),
    Refusal(
      name: "an x86 kernel", sentence: "give one for arm64",
      source: images(
        small.replacingOccurrences(of: "arm64", with: "x86"),
        "default = \"c\"; c { kernel = \"k\"; };")),
    Refusal(
      name: "compressed", sentence: "is compressed (gzip)",
      source: images(
        small.replacingOccurrences(of: "none", with: "gzip"),
        "default = \"c\"; c { kernel = \"k\"; };")),
    Refusal(
      name: "unknown system", sentence: "relay.boot=fast is not understood",
      arguments: "relay.boot=fast"),
    Refusal(
      name: "unknown option", sentence: "relay.bott is no option of relay's",
      arguments: "relay.bott=off"),
    Refusal(name: "nothing to do", sentence: "nothing to do", arguments: ""),
    Refusal(
      name: "no such pages", sentence: "this CPU has no pages of 16k",
      arguments: "relay.boot=linear relay.granule=16k"),
    Refusal(
      name: "not at that level", sentence: "relay was entered at EL2",
      arguments: "relay.boot=linear relay.level=el1"),
    Refusal(
      name: "no VHE", sentence: "this CPU has no VHE",
      arguments: "relay.boot=linear relay.level=vhe"),
    Refusal(
      name: "two actions", sentence: "exclude each other",
      arguments: "relay.boot=linear relay.bench"),
  ]

  @Test(arguments: refusals)
  func whatCannotBeStartedGetsASentenceAndAReset(_ refusal: Refusal) async throws {
    let run = try await withPayload({ payload in
      payload.source = refusal.source
    }) { image, workspace in
      var bytes = try HostFile.bytes(of: image)
      refusal.damage(&bytes)
      try HostFile.write(bytes, to: image)
      var machine = try RelayRun(.linear, .el2).machine(in: workspace)
      machine.commandLine = refusal.arguments
      if refusal.hasPayload { machine.initrd = image }
      return try await machine.run()
    }
    #expect(run.end == .reset)
    let last = try #require(run.lines.last { $0.hasPrefix("relay: ") }, "\(run.lastLines)")
    #expect(last.contains(refusal.sentence), "\(last)")
    #expect(last.hasSuffix("; resetting"))
  }
}
