import Testing

@testable import BatonCommand

@Suite struct InvocationTests {
  @Test(arguments: [
    ["-l", "/boot/Image"], ["--load", "/boot/Image"], ["/boot/Image", "-l"],
    ["/boot/Image", "--load"], ["-l", "--", "/boot/Image"],
  ])
  func `The image is the first word that is no option, wherever it stands`(
    arguments: [String]
  ) throws {
    #expect(
      try Invocation(parsing: arguments) == Invocation(action: .load(image: "/boot/Image")))
  }

  @Test(arguments: [
    ["--load", "I", "--append=a b", "--initrd=R", "--dtb=D"],
    ["--append", "a b", "--initrd", "R", "I", "--dtb", "D", "-l"],
    ["--dtb=D", "-l", "--command-line=a b", "--ramdisk=R", "I"],
  ])
  func `kexec-tools' spellings mean the same in any order`(arguments: [String]) throws {
    var expected = Invocation(action: .load(image: "I"))
    expected.commandLine = "a b"
    expected.initrds = ["R"]
    expected.deviceTree = "D"
    #expect(try Invocation(parsing: arguments) == expected)
  }

  @Test func `Short options may be written together`() throws {
    var expected = Invocation(action: .load(image: "I"))
    expected.verifiesEverything = false
    expected.showsPlan = true
    #expect(try Invocation(parsing: ["-ldi", "I"]) == expected)
  }

  @Test func `A value may be empty, and may begin with a dash`() throws {
    #expect(try Invocation(parsing: ["-l", "I", "--append="]).commandLine == "")
    #expect(try Invocation(parsing: ["-l", "I", "--append", "-x"]).commandLine == "-x")
  }

  @Test func `Every long option stands for its short one`() throws {
    for option in CommandOption.all {
      guard let short = option.short, option.name != .load else { continue }
      let value = option.name == .type ? ["Image"] : []
      let beside: [String] =
        switch option.name {
        case .noInterfacesDown, .noSync: ["-e"]
        case .execute, .unload, .status, .version, .help: []
        case .force, .loadPanic: ["I"]
        default: ["-l", "I"]
        }
      for long in option.long {
        #expect(
          try Invocation(parsing: beside + ["-" + String(short)] + value)
            == Invocation(parsing: beside + ["--" + String(long)] + value))
      }
    }
  }

  @Test(arguments: [
    (["-e"], Invocation.Action.execute), (["--exec"], .execute), (["-u"], .unload),
    (["--unload"], .unload), (["-S"], .status), (["--status"], .status), (["-v"], .version),
    (["--version"], .version), (["-h"], .help), (["--help"], .help),
  ])
  func `Each action has its option`(arguments: [String], action: Invocation.Action) throws {
    #expect(try Invocation(parsing: arguments).action == action)
  }

  @Test(arguments: [(["-u"], false), (["-uf"], true), (["-f", "-p", "-u"], true)])
  func `-f beside -u unloads whatever is loaded, and starts nothing`(
    arguments: [String], unloadsAnything: Bool
  ) throws {
    let invocation = try Invocation(parsing: arguments)
    #expect(invocation.action == .unload)
    #expect(invocation.unloadsAnything == unloadsAnything)
    #expect(invocation.afterLoading == .nothing)
  }

  @Test func `Help and version win over whatever stands beside them`() throws {
    #expect(try Invocation(parsing: ["-e", "-u", "--help"]).action == .help)
    #expect(try Invocation(parsing: ["-l", "-v"]).action == .version)
  }

  @Test(arguments: [
    (["-e", "-u"], UsageError.severalActions), (["-l", "I", "-u"], .severalActions),
    (["-u", "-f", "-e"], .severalActions), (["-f", "-l", "I", "-u"], .severalActions),
    (["-S", "-e"], .severalActions), (["-p", "I", "-e"], .severalActions),
    (["-p", "I", "-l"], .severalActions), (["-p", "I", "-f"], .severalActions),
    (["-p"], .noImage), (["-f"], .noImage), (["-le"], .noImage),
    (["-pu", "I"], .unexpectedArgument("I")),
    (["-l", "I", "-x"], .onlyWithExecute("--no-ifdown")),
    (["-S", "-y"], .onlyWithExecute("--no-sync")),
    (["-l", "I", "--initrd=R", "--reuseinitrd"], .contradiction("--initrd", "--reuseinitrd")),
    (["-l", "I", "--console=none", "--serial=ttyS0"], .contradiction("--console", "--serial")),
    (["-l", "I", "-t", "bzImage"], .badValue(option: "--type", value: "bzImage")),
    (["-e", "--serial=ttyAMA0"], .onlyWithLoad("--serial")),
    (["-l", "I", "--mem-min=089"], .badAddress(option: "--mem-min", value: "089")),
    ([], .noAction), (["I"], .noAction), (["-d"], .noAction),
    (["--initrd=R"], .noAction), (["-l"], .noImage), (["-l", "--initrd", "R"], .noImage),
    (["-l", "I", "J"], .unexpectedArgument("J")), (["-e", "I"], .unexpectedArgument("I")),
    (["-e", "--initrd=R"], .onlyWithLoad("--initrd")),
    (["-u", "-i"], .onlyWithLoad("--no-checks")),
    (["-S", "--dry-run"], .onlyWithLoad("--dry-run")),
    (["-e", "--append=x"], .onlyWithLoad("--append")),
    (["-e", "--reuse-cmdline"], .onlyWithLoad("--reuse-cmdline")),
    (["-e", "--dtb=D"], .onlyWithLoad("--dtb")), (["-w"], .unknownOption("-w")),
    (["--frobnicate"], .unknownOption("--frobnicate")), (["-é"], .unknownOption("-\u{FFFD}")),
    (["I", "-l", "-é"], .unknownOption("-\u{FFFD}")), (["--d"], .unknownOption("--d")),
    (["-e", "--on-failure=halt"], .onlyWithLoad("--on-failure")),
    (["-l", "I", "--append"], .unknownOption("--append")),
    (["-l", "I", "--on-failure=explode"], .badValue(option: "--on-failure", value: "explode")),
  ])
  func `A command line that makes no sense is refused`(
    arguments: [String], error: UsageError
  ) {
    #expect(throws: error) { try Invocation(parsing: arguments) }
  }

  @Test func `Parses on many threads do not disturb one another`() async {
    await withTaskGroup(of: Int.self) { group in
      for number in 0..<8 {
        group.addTask {
          // Often enough that two threads meet: without a lock, this fails.
          (0..<2000).count { round in
            let image = "image-\(number)-\(round)"
            let parsed = try? Invocation(parsing: ["--append=\(round)", image, "-d", "-l"])
            return parsed?.action != .load(image: image) || parsed?.commandLine != "\(round)"
          }
        }
      }
      for await mistakes in group { #expect(mistakes == 0) }
    }
  }

  @Test func `Help names every spelling of every option, and what it does`() {
    let help = Help.text(for: .baton)
    for option in CommandOption.all {
      for long in option.long { #expect(help.contains("--" + String(long))) }
      #expect(help.contains(String(option.help)))
      if let short = option.short { #expect(help.contains("  -" + String(short) + ", ")) }
    }
  }
}
