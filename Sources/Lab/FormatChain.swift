/// Handoffs in a row on one machine, each of a kernel in another format. The files lie on a disk,
/// so that no kernel carries them all.
public struct FormatChain: Sendable {
  /// One handoff: what `baton -l` is given.
  public struct Step: Sendable {
    /// Files on the disk, by their names.
    public var files: [(name: String, contents: [UInt8])]
    /// The operands of `baton -l`; the disk is mounted at `FormatChain.folder`, and `FormatChain.rest`
    /// is an initrd for the next kernel.
    public var operands: String

    public init(_ operands: String, files: [(name: String, contents: [UInt8])]) {
      self.operands = operands
      self.files = files
    }
  }

  public static let folder = "/var/lib/baton"
  public static let rest = "/rest.cpio"

  /// The kernel that boots first.
  public var kernel: String
  public var steps: [Step]
  public var machine = Machine()

  public init(debian series: String, in workspace: Workspace) throws(LabError) {
    kernel = try workspace.kernel(series)
    steps = []
  }

  /// The next command line's words that say which kernel of the chain it is.
  public static func commandLine(turn: Int) -> String {
    Machine.Board.virt.consoleArguments + " panic=10 lab.turn=\(turn)"
  }

  /// An initrd that the chain can go on from, with a mark in it to know it by.
  public func initrd(marked mark: String, in workspace: Workspace) throws -> [UInt8] {
    let folder = String(kernel[..<(kernel.lastIndex(of: "/") ?? kernel.startIndex)]) + "/modules/"
    var files = [("bin/baton", try HostFile.bytes(of: workspace.baton()))]
    for name in Userland.diskModules where HostFile.exists(folder + name + ".ko") {
      files.append(("lab/modules/" + name + ".ko", try HostFile.bytes(of: folder + name + ".ko")))
    }
    files.append(("lab/marks/" + mark, Array("there\n".utf8)))
    return try Userland.formats(
      busybox: workspace.busybox(), files: files, loads: steps.map(\.operands)
    ).bytes
  }

  /// Only a mark, which joins what another initrd brings.
  public static func initrd(of mark: String) -> [UInt8] {
    var image = Initramfs()
    image.addDirectory("lab/marks")
    image.addFile("lab/marks/" + mark, Array("there\n".utf8))
    return image.bytes
  }

  /// What a kernel of the chain said of itself.
  public struct Arrival: Sendable, Equatable {
    public var turn: Int
    /// The marks in its initial file system, in order.
    public var marks: [String]
    /// The property `lab,mark` of its device tree's root; empty where there is none.
    public var tree: String
  }

  /// Runs the chain to its end.
  ///
  /// - Throws: `LabError`, with the handoff that failed.
  public func run(in workspace: Workspace) async throws -> [Arrival] {
    try await HostFile.withTemporaryDirectory { directory in
      var machine = machine
      machine.kernel = kernel
      machine.initrd = directory + "/first.cpio"
      machine.disk = directory + "/disk"
      try HostFile.write(
        try initrd(marked: "first", in: workspace), to: directory + "/first.cpio")
      let files = steps.flatMap(\.files)
      let size = files.reduce(0) { $0 + $1.contents.count }
      try await DiskImage.make(
        at: directory + "/disk", mebibytes: (size >> 20) * 11 / 10 + 16, files: files)
      machine.timeLimit = .seconds(120 * (steps.count + 1))
      let run = try await machine.run()
      let arrivals = run.lines.compactMap(Self.arrival)
      guard arrivals.map(\.turn) == Array(0...steps.count), run.end == .poweredOff else {
        throw run.failure(
          "handoff \((arrivals.last?.turn ?? 0) + 1) of \(steps.count) failed: "
            + (arrivals.last.map { $0.turn < steps.count ? steps[$0.turn].operands : "" } ?? ""))
      }
      let verified = run.lines.count { $0.hasPrefix("baton: EL") && $0.contains("verified") }
      guard verified == steps.count else {
        throw run.failure("\(verified) of \(steps.count) stages verified")
      }
      return arrivals
    }
  }

  /// "lab: arrived 3 [first uki] [mark]"
  private static func arrival(_ line: String) -> Arrival? {
    guard line.hasPrefix(Userland.arrived) else { return nil }
    let parts = line.dropFirst(Userland.arrived.count).split(
      separator: "[", omittingEmptySubsequences: false)
    guard parts.count == 3, let turn = Int(parts[0].prefix { $0 != " " }) else { return nil }
    return Arrival(
      turn: turn, marks: parts[1].prefix { $0 != "]" }.split(separator: " ").map { String($0) },
      tree: String(parts[2].prefix { $0 != "]" }))
  }
}
