import CStageImage
import Foundation
import LinuxHost
import Testing

/// dist/baton carries dist/stage.bin, and does on arm64 what its sources do on the host.
@Suite("The command's binary")
struct EmbeddedStageTests {
  @Test("The stage inside is dist/stage.bin, byte for byte")
  func sameBytes() throws {
    let stage = try StageBinary().bytes
    // Sound: the array and its size are constants of the program.
    let embedded = unsafe [UInt8](
      UnsafeRawBufferPointer(start: baton_stage_image(), count: baton_stage_image_size()))
    #expect(embedded == stage)
    let binary = try Data(contentsOf: CommandRun.binary)
    #expect(binary.range(of: Data(stage)) != nil)
  }

  @Test("-v names the build ids that the linker gave command and stage")
  func buildIDs() throws {
    // An ELF note: sizes of name and content, NT_GNU_BUILD_ID, the name.
    let note: [UInt8] = [4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0] + Array("GNU\0".utf8)
    func ids(in file: String) throws -> Set<String> {
      var bytes = try Data(contentsOf: StageBinary.distribution.appending(path: file))[...]
      var result: Set<String> = []
      while let place = bytes.range(of: Data(note)) {
        result.insert(
          bytes[place.upperBound..<place.upperBound + 20]
            .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())
        bytes = bytes[place.upperBound...]
      }
      return result
    }
    let stage = try ids(in: "stage.bin")
    #expect(try ids(in: "stage.elf") == stage)
    let stageID = try #require(stage.first)
    // The command's own, beside that of the stage inside.
    let command = try ids(in: "baton").subtracting(stage)
    let commandID = try #require(command.first)
    #expect(stage.count == 1 && command.count == 1)
    let version = try CommandRun(arm64: ["-v"], on: MachineFolder())
    #expect(version.output.hasSuffix(" (build \(commandID), stage \(stageID))\n"))
  }

  @Test("Static, stripped, at most 1.2 MB")
  func staticAndStripped() throws {
    let headers = try run("llvm-readelf", ["-hlSW", CommandRun.binary.path])
    #expect(headers.contains("AArch64"))
    #expect(headers.contains(" LOAD "))
    for word in ["INTERP", "DYNAMIC", ".dynamic", ".symtab", ".debug_"] {
      #expect(!headers.contains(word), "\(word)")
    }
    #expect(try Data(contentsOf: CommandRun.binary).count <= 1_200_000)
  }

  static let plan = ["-l", "/boot/Image", "--initrd", "/boot/initrd", "--dry-run"]

  @Test(
    "A plan made on arm64 is the host's",
    arguments: [27, 30, 26, 0], [plan, plan + ["-i", "--append=quiet", "--on-failure=halt"]])
  func samePlan(timerInterrupt: Int, arguments: [String]) throws {
    let folder = try MachineFolder()
    try folder.setTimerInterrupt(timerInterrupt)
    let arm64 = try CommandRun(arm64: arguments, on: folder)
    #expect(arm64.status == 0, "\(arm64.complaints)")
    #expect(arm64 == CommandRun(host: arguments, on: folder))
  }

  // Where the compiler emitted several LLVM modules, their static arrays came out swapped, and the
  // second regime's tables were lost: nothing on the host would have shown it.
  @Test("Where the level is unknown, the plan on arm64 has the tables of both layouts")
  func bothLayouts() throws {
    let folder = try MachineFolder()
    func pages(_ timerInterrupt: Int) throws -> Int {
      try folder.setTimerInterrupt(timerInterrupt)
      return try #require(try CommandRun(arm64: Self.plan, on: folder).tablePages)
    }
    let (el1, host, either) = try (pages(27), pages(26), pages(30))
    #expect(el1 > 0 && host > 0 && either > host)
    // EL1's and EL2's own; `either` is EL2's own and that of VHE.
    #expect(try pages(0) + host == el1 + either)
  }

  @Test(
    "The two C libraries' getopt_long and errors come to the same words",
    arguments: [
      ["--help"], ["-S"], [], ["-x"], ["-l"], ["--frobnicate"], ["-w"], ["-l", "I", "--append"],
      ["I", "-l", "-d", "--append"], ["-e", "--exec=1"], ["--d"], ["-lx", "I"], ["-é"],
      ["I", "-l", "-é"], ["-l", "--init=R", "J", "K"], ["-e", "-u"],
      ["-l", "I", "--on-failure=explode"], ["/none", "--load", "--dry-run"],
      ["-l", "/boot", "--dry-run"], ["-l", "/boot/initrd", "--dry-run"],
      ["-l", "--dry-run", "--dtb=/boot/initrd", "/boot/Image"],
      ["--dry-run", "/boot/Image", "-l", "--reuse-cmdline", "--command-line", "a  b"],
      ["-l", "--dry-run", "--", "/boot/Image"],
    ])
  func sameWords(arguments: [String]) throws {
    let folder = try MachineFolder()
    let arm64 = try CommandRun(arm64: arguments, on: folder)
    #expect(arm64 == CommandRun(host: arguments, on: folder))
    #expect(arm64.output != "" || arm64.complaints.hasPrefix("baton: "))
  }

  // Two warnings stand before the plan: that of panic= and that of the console.
  @Test("Whoever stops listening to warnings or answers ends nothing")
  func unreadStreams() throws {
    let folder = try MachineFolder()
    let arguments = Self.plan + ["--console=none", "-d"]
    let whole = try CommandRun(arm64: arguments, on: folder)
    #expect(whole.status == 0 && whole.complaints.contains("warning"), "\(whole.complaints)")
    let unheard = try CommandRun(arm64: arguments, on: folder, unread: .standardError)
    #expect(unheard.status == 0)
    #expect(unheard.output == whole.output)
    // As `baton --status | head -1`, and an answer that is longer than the reader's patience.
    let unread = try CommandRun(arm64: arguments, on: folder, unread: .standardOutput)
    #expect(unread.status == 0)
    #expect(unread.complaints == whole.complaints)
    let status = try CommandRun(arm64: ["--status"], on: folder, unread: .standardOutput)
    #expect(status.status == 1)
    #expect(status.complaints == "")
  }

  @Test("A kernel without kexec_load is told so, as is who may not load")
  func noSystemCall() throws {
    let folder = try MachineFolder()
    // The emulator knows no kexec_load(2): the whole way to the call, and its number back.
    let load = try CommandRun(arm64: ["-l", "/boot/Image"], on: folder)
    #expect(load == CommandRun(host: ["-l", "/boot/Image"], on: folder))
    #expect(load.status == (getuid() == 0 ? 6 : 5), "\(load.complaints)")
  }
}
