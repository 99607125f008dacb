import Lab
import TestSupport
import Testing

/// Kernels in each format that baton takes start for real, one after the other on one machine: what
/// each brings (an initrd, a command line, a device tree) is what the next kernel finds.
@Suite struct FormatTests {
  private let workspace = Workspace()

  /// A kernel that was loaded, and what it is to find.
  private struct Format: Sendable {
    let step: FormatChain.Step
    var marks: [String] = []
    var tree = ""
  }

  private func expect(_ formats: [Format], of chain: FormatChain) async throws {
    var chain = chain
    chain.steps = formats.map(\.step)
    let prepared = chain
    let arrivals = try await GuestSlots.shared.withGuest { try await prepared.run(in: workspace) }
    #expect(arrivals.first?.marks == ["first"])
    for (arrival, format) in zip(arrivals.dropFirst(), formats) {
      #expect(arrival.marks == format.marks, "\(format.step.operands)")
      #expect(arrival.tree == format.tree, "\(format.step.operands)")
    }
  }

  /// A file in the chain's folder with the rest of what the next kernel takes.
  private func file(
    _ name: String, _ contents: [UInt8], turn: Int, initrds: String = "--initrd=\(FormatChain.rest)"
  ) -> FormatChain.Step {
    FormatChain.Step(
      "\(FormatChain.folder)/\(name) \(initrds) --append=\"\(FormatChain.commandLine(turn: turn))\"",
      files: [(name, contents)])
  }

  /// The machine's tree, with a mark to know it by.
  private func tree(marked mark: String, of machine: Machine) async throws -> [UInt8] {
    try HostTool.run(
      ["fdtput", "-t", "s", "tree", "/", "lab,mark", mark],
      with: ["tree": try await machine.ownDeviceTree()], result: "tree")
  }

  /// A UKI as Debian's EFI stub and objcopy make it, which takes its command line, initrd and tree with it.
  private func unified(
    _ kernel: [UInt8], turn: Int, initrd: [UInt8], tree: [UInt8]
  ) throws -> [UInt8] {
    let stub = try HostFile.bytes(of: workspace.cache + "/guest/efi-stub/linuxaa64.efi.stub")
    return try HostTool.run(
      ["llvm-objcopy"]
        + [".linux=kernel", ".initrd=initrd", ".cmdline=cmdline", ".dtb=tree"].flatMap {
          let name = $0.prefix { $0 != "=" }
          return ["--set-section-flags", name + "=data,readonly", "--add-section", $0]
        } + ["stub", "unified"],
      with: [
        "kernel": kernel, "initrd": initrd, "tree": tree, "stub": stub,
        "cmdline": Array(FormatChain.commandLine(turn: turn).utf8),
      ], result: "unified")
  }

  /// In `make test`: the two that hold others, an initrd behind their own, and none of its own.
  @Test func aUKIOfAZbootAndACompressedFITImageBringWhatTheyHold() async throws {
    var chain = try FormatChain(debian: "6.1", in: workspace)
    let kernel = try HostFile.bytes(of: chain.kernel)
    let zstd = try HostTool.compress(kernel, by: "zstd -1")
    // Their initrds go on with the chain, and have to know its steps, whose operands are these.
    let operands = [
      "\(FormatChain.folder)/unified",
      "\(FormatChain.folder)/fit --initrd=\(FormatChain.folder)/more "
        + "--append=\"\(FormatChain.commandLine(turn: 2))\"",
    ]
    chain.steps = operands.map { FormatChain.Step($0, files: []) }
    let formats = [
      Format(
        step: FormatChain.Step(
          operands[0],
          files: [
            (
              "unified",
              try unified(
                PEFile.zboot(zstd, compression: "zstd"), turn: 1,
                initrd: chain.initrd(marked: "uki", in: workspace),
                tree: await tree(marked: "uki", of: chain.machine))
            )
          ]),
        marks: ["uki"], tree: "uki"),
      Format(
        step: FormatChain.Step(
          operands[1],
          files: [
            (
              "fit",
              try FITSource(compression: "zstd").image(
                kernel: zstd, initrd: chain.initrd(marked: "fit", in: workspace),
                tree: await tree(marked: "fit", of: chain.machine), ["-E"])
            ), ("more", FormatChain.initrd(of: "more")),
          ]),
        marks: ["fit", "more"], tree: "fit"),
    ]
    try await expect(formats, of: chain)
  }

  @Test(.matrix) func eachCompressionStartsAndSeveralInitrdsAreOne() async throws {
    let chain = try FormatChain(debian: "6.1", in: workspace)
    let kernel = try HostFile.bytes(of: chain.kernel)
    func compressed(_ program: String) throws -> [UInt8] {
      try HostTool.compress(kernel, by: program)
    }
    let initrds = [FormatChain.rest, FormatChain.folder + "/a", FormatChain.folder + "/b"]
    var several = file(
      "Image", kernel, turn: 6, initrds: initrds.map { "--initrd=" + $0 }.joined(separator: " "))
    // Of an odd size, as an archive that is compressed may be.
    several.files.append(("a", try HostTool.compress(FormatChain.initrd(of: "a"), by: "gzip -n")))
    several.files.append(("b", FormatChain.initrd(of: "b")))
    try await expect(
      [
        Format(step: file("gzip", try compressed("gzip -1"), turn: 1)),
        Format(step: file("zstd", try compressed("zstd -1"), turn: 2)),
        Format(step: file("xz", try compressed("xz -0"), turn: 3)),
        Format(step: file("lzma", try compressed("xz --format=lzma -0"), turn: 4)),
        Format(
          step: file(
            "zboot", PEFile.zboot(try compressed("xz -0 --check=crc32"), compression: "xzkern"),
            turn: 5)),
        Format(step: several, marks: ["a", "b"]),
      ], of: chain)
  }
}
