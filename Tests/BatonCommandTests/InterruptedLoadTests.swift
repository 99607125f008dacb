import BatonCommand
import CLinuxHost
import LinuxHost
import Testing

/// What a load that was killed between its calls leaves, with and without what another tool has loaded
/// since: Baton's own is found and removed, and nothing else.
@Suite struct InterruptedLoadTests {
  private static let record = "/run/baton/loaded.json"
  /// Other places than the older load's: it has no initrd.
  private static let load = [
    "-l", "/boot/Image", "--initrd=/boot/initrd", "--via=crashkernel", "-i",
  ]

  /// Where the load was killed.
  enum Moment: CaseIterable {
    /// Both slots hold the older load.
    case beforeTheUnload
    /// The crash slot alone holds the older one's.
    case beforeTheCrashSlot
    /// The crash slot alone holds the new one's.
    case beforeTheNormalSlot
    /// Both hold the new load.
    case beforeTheRecord

    var isWhole: Bool { self == .beforeTheUnload || self == .beforeTheRecord }
  }

  private static func killed(_ moment: Moment, showsMemory: Bool = true) throws -> FakeLinux {
    let linux = try FakeLinux.reserving()
    linux.showsMemory = showsMemory
    try #require(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    linux.files["/boot/initrd"] = [UInt8](repeating: 9, count: 300_000)
    var states: [FakeLinux] = []
    linux.onKexecLoad = { states.append($0.copy()) }
    try #require(Baton.run(load, system: linux) == .success, "\(linux.complaints)")
    try #require(states.count == 3)
    let state: FakeLinux
    switch moment {
    case .beforeTheUnload: state = states[0]
    case .beforeTheCrashSlot: state = states[1]
    case .beforeTheNormalSlot: state = states[2]
    case .beforeTheRecord:
      state = linux.copy()
      state.files[record] = states[2].files[record]
    }
    #expect(
      state.files[record].map { String(decoding: $0, as: UTF8.self).contains("staging") } == true)
    state.showsMemory = showsMemory
    return state
  }

  private static func loadByAnotherTool(_ slot: KexecSlot, _ linux: FakeLinux) throws {
    let segments = unsafe [
      linux_kexec_segment(buf: nil, bufsz: 0, mem: 0x6000_0000, memsz: 0x20_0000)
    ]
    try unsafe segments.withUnsafeBufferPointer {
      try unsafe linux.kexecLoad(entry: 0x6000_0000, segments: $0, slot: slot)
    }
  }

  private static func words(_ linux: FakeLinux) -> String {
    let before = linux.output.utf8.count
    _ = Baton.run(["-S"], system: linux)
    return String(decoding: linux.output.utf8.dropFirst(before), as: UTF8.self)
  }

  @Test(arguments: Moment.allCases)
  func `What it left is known for Baton's, and unloaded`(moment: Moment) throws {
    let linux = try Self.killed(moment)
    #expect(
      Self.words(linux) == """
        next kernel: \(moment.isWhole
          ? "loaded by a baton -l that was interrupted: baton -e starts it" : "not loaded")
        crash kernel: not loaded: \(moment.isWhole
          ? "the next kernel is staged there, and a panic resets"
          : "what a baton -l staged there was left behind, and a panic resets; baton -u removes it")

        """)
    let answer = try linux.status()
    #expect(answer["loadedByBaton"] as? Bool == moment.isWhole)
    #expect(answer["stagedImageLoaded"] as? Bool == true)
    #expect(answer["crashKernelLoaded"] as? Bool == false)
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.normalSlot == nil && linux.crashSlot == nil)
    #expect(linux.files[Self.record] == nil)
    #expect(linux.complaints == "")
  }

  @Test(arguments: Moment.allCases)
  func `The next load takes its place, and may be killed as well`(moment: Moment) throws {
    let linux = try Self.killed(moment)
    linux.files["/boot/initrd"] = [UInt8](repeating: 5, count: 700_000)
    var states: [FakeLinux] = []
    linux.onKexecLoad = { states.append($0.copy()) }
    #expect(Baton.run(Self.load, system: linux) == .success, "\(linux.complaints)")
    #expect(try linux.status()["replaced"] as? Bool == false)
    #expect(states.count == (moment.isWhole ? 3 : 2))
    for state in states {
      state.showsMemory = true
      #expect(try state.status()["crashKernelLoaded"] as? Bool == false)
      #expect(Baton.run(["-u"], system: state) == .success)
      #expect(state.normalSlot == nil && state.crashSlot == nil)
    }
  }

  @Test(arguments: Moment.allCases)
  func `A next kernel that another tool has loaded since stays`(moment: Moment) throws {
    let linux = try Self.killed(moment)
    try Self.loadByAnotherTool(.normal, linux)
    #expect(
      Self.words(linux).hasPrefix(
        "next kernel: loaded, but not by this boot's baton -l: baton -e starts it\n"))
    #expect(try linux.status()["loadedByBaton"] as? Bool == false)
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.normalSlot != nil)
    // What Baton staged for another is of no use.
    #expect(linux.crashSlot == nil)
    #expect(linux.complaints.contains("baton -u -f unloads it"))
  }

  @Test(arguments: Moment.allCases)
  func `A dump kernel that another tool has loaded since is one, and stays`(moment: Moment) throws {
    let linux = try Self.killed(moment)
    try Self.loadByAnotherTool(.crash, linux)
    let words = Self.words(linux)
    #expect(words.hasSuffix("crash kernel: loaded\n"), "\(words)")
    #expect(words.contains("not whole in the crashkernel region any more") == moment.isWhole)
    #expect(Baton.run(["-S"], system: linux) == .negative)
    #expect(Baton.runAsKexec(["-S", "-p"], system: linux) == 1)
    #expect(Baton.run(["-e"], system: linux) == .negative)
    #expect(!linux.effects.contains(.reboot))
    #expect(Baton.run(Self.load, system: linux) == .notPermitted, "\(linux.complaints)")
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.normalSlot == nil)
    #expect(linux.crashSlot != nil)
  }

  @Test func `A load over a dump kernel that was killed before it replaced it leaves that`() throws
  {
    let linux = try FakeLinux.reserving()
    linux.showsMemory = true
    try Self.loadByAnotherTool(.crash, linux)
    var states: [FakeLinux] = []
    linux.onKexecLoad = { states.append($0.copy()) }
    #expect(Baton.run(Self.load + ["--replace-crash-kernel"], system: linux) == .success)
    let state = try #require(states.first)
    state.showsMemory = true
    #expect(try state.status()["crashKernelLoaded"] as? Bool == true)
    #expect(Baton.run(["-u"], system: state) == .success)
    #expect(state.crashSlot != nil)
  }

  @Test(arguments: [["--via=memory"], ["--via=file"]])
  func `One that was to go another way is told from what another tool has loaded`(
    way: [String]
  ) throws {
    let linux = try FakeLinux.reserving()
    linux.showsMemory = true
    try #require(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    var killed: FakeLinux?
    // What was staged goes when the new kernel is loaded: as if killed in between.
    linux.onKexecLoad = { if killed == nil { killed = $0.copy() } }
    try #require(Baton.run(["-l", "/boot/Image", "-i"] + way, system: linux) == .success)
    let state = try #require(killed)
    state.showsMemory = true
    #expect(Baton.run(["-S"], system: state) == .success)
    if way == ["--via=memory"] {
      #expect(state.output.contains("loaded by a baton -l that was interrupted"))
    }
    let other = state.copy()
    other.showsMemory = true
    try Self.loadByAnotherTool(.normal, other)
    // The kernel chooses places by itself: then nothing tells.
    let isKnown = way == ["--via=memory"]
    #expect(try other.status()["loadedByBaton"] as? Bool == !isKnown)
    #expect(Baton.run(["-u"], system: other) == .success)
    #expect((other.normalSlot != nil) == isKnown)
    #expect(other.crashSlot == nil)
    #expect(Baton.run(["-u"], system: state) == .success)
    #expect(state.normalSlot == nil && state.crashSlot == nil)
  }

  @Test(arguments: Moment.allCases)
  func `Where the kernel does not show its slots, they are taken for Baton's, and that is said`(
    moment: Moment
  ) throws {
    let linux = try Self.killed(moment, showsMemory: false)
    try Self.loadByAnotherTool(.crash, linux)
    let words = Self.words(linux)
    #expect(words.hasSuffix("whether another tool loaded something since\n"))
    #expect(try linux.status()["loadedByBaton"] as? Bool == moment.isWhole)
    if moment.isWhole {
      #expect(
        words.hasPrefix(
          """
          next kernel: loaded, perhaps by a baton -l that was interrupted: baton -e starts it
          crash kernel: not loaded: what a baton -l staged is there, and a panic resets

          """))
    }
    #expect(try linux.status()["stagedImageLoaded"] as? Bool == true)
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.normalSlot == nil && linux.crashSlot == nil)
  }

  /// That it is empty every kernel tells.
  @Test(arguments: [Moment.beforeTheUnload, .beforeTheRecord], [false, true])
  func `What needs a crash slot that was emptied since is not started`(
    moment: Moment, showsMemory: Bool
  ) throws {
    let linux = try Self.killed(moment, showsMemory: showsMemory)
    try Self.unloadByAnotherTool(.crash, linux)
    #expect(Baton.run(["-S"], system: linux) == .negative)
    #expect(Baton.run(["-e"], system: linux) == .negative)
    #expect(!linux.effects.contains(.reboot))
    #expect(linux.complaints.contains("load it again"))
  }

  private static func unloadByAnotherTool(_ slot: KexecSlot, _ linux: FakeLinux) throws {
    try unsafe linux.kexecLoad(
      entry: 0, segments: UnsafeBufferPointer(start: nil, count: 0), slot: slot)
  }

  @Test(arguments: [false, true])
  func `One by memory that was killed is told from what another tool has loaded, too`(
    isOthers: Bool
  ) throws {
    let linux = try FakeLinux.machine()
    linux.showsMemory = true
    var states: [FakeLinux] = []
    linux.onKexecLoad = { states.append($0.copy()) }
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    let state = linux.copy()
    state.files[Self.record] = try #require(states.first).files[Self.record]
    state.showsMemory = true
    if isOthers { try Self.loadByAnotherTool(.normal, state) }
    #expect(try state.status()["loadedByBaton"] as? Bool == !isOthers)
    #expect(Baton.run(["-u"], system: state) == .success)
    #expect((state.normalSlot == nil) == !isOthers)
    #expect(state.files[Self.record] == nil)
  }

  @Test func `What an older load left behind is nothing that the next kernel needs`() throws {
    let linux = try FakeLinux.reserving()
    linux.showsMemory = true
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    linux.slotRefusals[.crash] = .busy
    #expect(Baton.run(["-l", "/boot/Image", "--via=memory"], system: linux) == .success)
    linux.slotRefusals = [:]
    var states: [FakeLinux] = []
    linux.onKexecLoad = { states.append($0.copy()) }
    linux.files["/boot/initrd"] = [UInt8](repeating: 9, count: 300_000)
    #expect(Baton.run(Self.load, system: linux) == .success, "\(linux.complaints)")
    let state = try #require(states.first)
    state.showsMemory = true
    #expect(Self.words(state).contains("was left behind"))
    try Self.unloadByAnotherTool(.crash, state)
    #expect(Baton.run(["-S"], system: state) == .success)
    _ = Baton.run(["-e"], system: state)
    #expect(state.effects.last == .reboot, "\(state.complaints)")
  }

  @Test func `That something stays behind is said when the line of the load is gone`() throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(["-l", "/boot/Image"], system: linux) == .success)
    linux.files["/boot/initrd"] = [UInt8](repeating: 9, count: 40 << 20)
    linux.isErrorTerminal = true
    linux.slotRefusals[.crash] = .busy
    let load = ["-l", "/boot/Image", "--initrd=/boot/initrd", "--via=memory", "-i"]
    #expect(Baton.run(load, system: linux) == .success)
    #expect(
      linux.complaints.contains("\r\u{1b}[Kbaton: warning: what an earlier load staged stays"),
      "\(linux.complaints)")
  }
}
