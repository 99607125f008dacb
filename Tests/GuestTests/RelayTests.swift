import Foundation
import Lab
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
      RelayRun(.linear, .el1, .size64K),
    ])
  func theNextKernelComesUpAtTheLevelThatWasEntered(_ run: RelayRun) async throws {
    try await boot(run)
  }

  @Test(arguments: [RelayRun.Level.el1, .el2])
  func aSnapshotOfRelayItselfIsRestored(_ level: RelayRun.Level) async throws {
    let workspace = Workspace()
    var machine = try RelayRun(.linear, level).machine(in: workspace)
    machine.commandLine = "relay.hibernate relay.layout=typical relay.level=\(level.rawValue)"
    let prepared = machine
    let run = try await GuestSlots.shared.withGuest { try await prepared.run() }
    #expect(run.end == .reset)
    let line = try #require(
      run.lines.first { $0.hasPrefix("relay: resumed at EL\(level.exceptionLevel): ") },
      "\(run.lastLines)")
    let bytes = try #require(line.split(separator: " ").compactMap { Int($0) }.first)
    #expect(bytes >= 64 << 20)
  }

  @Test func everySystemIsMeasuredAndVerified() async throws {
    let workspace = Workspace()
    var machine = try RelayRun(.linear, .el2).machine(in: workspace)
    machine.commandLine = "relay.bench=2"
    let prepared = machine
    let run = try await GuestSlots.shared.withGuest { try await prepared.run() }
    // Two granules, four systems, three layouts.
    #expect(run.lines.count { $0.hasPrefix("relay: csv: 2,") } == 24, "\(run.lastLines)")
    #expect(run.end == .reset)
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
      name: "zeros", sentence: "it is no FIT image",
      damage: { $0.replaceSubrange(0..<64, with: repeatElement(0, count: 64)) }),
    Refusal(
      name: "an Image", sentence: "it is no FIT image", damage: { $0 = Array("MZ".utf8) + $0 }),
    Refusal(
      name: "truncated", sentence: "it is no FIT image", damage: { $0.removeLast($0.count / 2) }),
    Refusal(
      name: "a page of it", sentence: "it is no FIT image", damage: { $0 = Array($0[..<4096]) }),
    Refusal(
      name: "a flipped byte in the kernel", sentence: "is not what was hashed (sha256)",
      damage: { $0[$0.count / 2] ^= 1 }),
    Refusal(
      name: "a broken structure", sentence: "payload: ",
      damage: { $0.replaceSubrange(56..<76, with: repeatElement(0xFF, count: 20)) }),
    Refusal(
      name: "no images", sentence: "it has no /images",
      damage: { bytes in
        let name = Array("images\0".utf8)
        for start in 0..<4096 where bytes[start..<start + name.count].elementsEqual(name) {
          bytes[start] ^= 1
        }
      }),
    Refusal(
      name: "no kernel", sentence: "has no kernel",
      source: images(small, "default = \"c\"; c { description = \"c\"; };")),
    Refusal(
      name: "no such image", sentence: "names an image x that is not there",
      source: images(small, "default = \"c\"; c { kernel = \"x\"; };")),
    Refusal(
      name: "no such configuration", sentence: "it has no configuration d",
      source: images(small, "default = \"d\"; c { kernel = \"k\"; };")),
    Refusal(
      name: "one byte of kernel", sentence: "payload's kernel: ",
      source: images(small, "default = \"c\"; c { kernel = \"k\"; };")),
    Refusal(
      name: "a ramdisk as kernel", sentence: "is of another type",
      source: images(
        small.replacingOccurrences(of: "type = \"kernel\"", with: "type = \"ramdisk\""),
        "default = \"c\"; c { kernel = \"k\"; };")),
    Refusal(
      name: "an x86 kernel", sentence: "not arm64",
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
      machine.timeLimit = .seconds(60)
      return try await machine.run()
    }
    #expect(run.end == .reset)
    let last = try #require(run.lines.last { $0.hasPrefix("relay: ") }, "\(run.lastLines)")
    #expect(last.contains(refusal.sentence), "\(last)")
    #expect(last.hasSuffix("; resetting"))
  }
}
