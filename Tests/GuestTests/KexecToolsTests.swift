import Lab
import Testing

/// Debian's kexec-tools and baton, called as `kexec`, one after the other in one guest: the same command
/// lines, the same answers.
@Suite(.matrix) struct KexecToolsTests {
  /// What a command line is given to, and the words behind the name.
  private struct Row {
    /// What kexec-tools has loaded before: `-l`, `-p` or nothing.
    var loaded = ""
    let words: String
  }

  private static let rows: [Row] = [
    Row(words: "-S"), Row(words: "-S -l"), Row(words: "-Sp"), Row(words: "--status"),
    Row(words: "--stat"), Row(words: "-S -u"), Row(words: "-u"), Row(words: "-p -u"),
    Row(words: "--unl"), Row(words: "-e"), Row(words: "-exy"), Row(words: "-e /lab/kernel"),
    Row(words: "--frobnicate"), Row(words: "-w"), Row(words: "-l"), Row(words: ""),
    Row(words: "-l /none"), Row(words: "-l /lab/text"), Row(words: "-l /lab/kernel --initrd"),
    Row(words: "-l /lab/kernel --initrd=/none"), Row(words: "-l /lab/kernel --dtb=/none"),
    Row(words: "--lo /lab/kernel"), Row(words: "--d -l /lab/kernel"),
    Row(words: "--mem-min=x -l /lab/kernel"), Row(words: "--mem-max=0x -l /lab/kernel"),
    Row(words: "--entry=x -l /lab/kernel"), Row(words: "-t bogus -l /lab/kernel"),
    Row(words: "-t vmlinux -l /lab/kernel"), Row(words: "-s -l /lab/kernel"),
    Row(words: "--print-ckr-size"), Row(words: "--print-ckr"), Row(words: "-h"), Row(words: "-v"),
    Row(words: "-i -l /lab/kernel"), Row(words: "/lab/kernel -l --app=quiet --no-ch"),
    Row(words: "-iy -l /lab/kernel --reuse-cmdline --ramdisk=/lab/text"),
    Row(words: "-c -i -l /lab/kernel -t Image --command-line quiet"), Row(words: "-i /lab/kernel"),
    Row(loaded: "-l", words: "-S"), Row(loaded: "-l", words: "-S -l"),
    Row(loaded: "-l", words: "--load --status"), Row(loaded: "-l", words: "-u"),
    Row(loaded: "-l", words: "-p -u"), Row(loaded: "-l", words: "-l /none"),
    Row(loaded: "-l", words: "-u -e --frobnicate"),
    Row(words: "-p -i /lab/kernel --append=quiet"), Row(words: "-p /none"),
    Row(loaded: "-p", words: "-S"), Row(loaded: "-p", words: "-S -l"),
    Row(loaded: "-p", words: "-u"), Row(loaded: "-p", words: "-p -u"),
  ]

  private struct Answer: Equatable {
    var status: String
    /// Whether the two slots are loaded afterwards.
    var slots: String
    var firstLine: String
  }

  @Test func calledAsKexecBatonAnswersAsKexecToolsDoes() async throws {
    let workspace = Workspace()
    var image = Initramfs()
    for directory in ["dev", "proc", "sys", "lab", "sbin"] { image.addDirectory(directory) }
    image.addFile("bin/busybox", try HostFile.bytes(of: workspace.busybox()))
    image.addFile("baton/kexec", try HostFile.bytes(of: workspace.baton()))
    let tools = try workspace.kexecTools()
    image.addFile("kexec-tools/kexec", try HostFile.bytes(of: tools + "/kexec"))
    for library in try HostFile.names(in: tools + "/lib") {
      image.addFile("lib/" + library, try HostFile.bytes(of: tools + "/lib/" + library))
    }
    image.addFile("lab/kernel", try HostFile.bytes(of: workspace.kernel("6.1")))
    image.addFile("lab/text", Array(String(repeating: "text\n", count: 3000).utf8))
    image.addFile("sbin/shutdown", Array("#!/bin/busybox sh\necho \"shutdown $*\"\n".utf8))
    var script = """
      #!/bin/busybox sh
      export PATH=/bin
      busybox mount -t devtmpfs none /dev 2>/dev/null
      busybox mount -t proc none /proc
      busybox mount -t sysfs none /sys
      run() {
        row=$1 tool=$2
        shift 2
        /$tool/kexec "$@" >/out 2>/err
        status=$?
        # What baton stages for -l in the crash kernel's place is none.
        /baton/kexec -S
        crash=$?
        slots=$(busybox cat /sys/kernel/kexec_loaded)$crash
        echo "lab: $row:$tool:$status:$slots:$(busybox head -n 1 /out)"
      }

      """
    for (number, row) in Self.rows.enumerated() {
      for tool in ["kexec-tools", "baton"] {
        script += "/baton/kexec -u\n/kexec-tools/kexec -p -u\n"
        if !row.loaded.isEmpty { script += "/kexec-tools/kexec \(row.loaded) -i /lab/kernel\n" }
        script += "run \(number) \(tool) \(row.words)\n"
      }
    }
    image.addFile("init", Array((script + "busybox poweroff -f\n").utf8))
    let archive = image.bytes

    let run = try await HostFile.withTemporaryDirectory { directory in
      try HostFile.write(archive, to: directory + "/grammar.cpio")
      var machine = Machine()
      machine.kernel = try workspace.kernel("6.1")
      machine.initrd = directory + "/grammar.cpio"
      machine.commandLine = "quiet crashkernel=128M"
      let guest = machine
      return try await GuestSlots.shared.withGuest { try await guest.run() }
    }
    guard run.end == .poweredOff else { throw run.failure("not all rows were run") }
    var answers: [String: Answer] = [:]
    for line in run.lines where line.hasPrefix("lab: ") {
      let fields = line.dropFirst(5).split(
        separator: ":", maxSplits: 4, omittingEmptySubsequences: false)
      guard fields.count == 5 else { continue }
      // Where kexec-tools lists its options, baton has a sentence elsewhere, and a list of its own.
      let lists = fields[4].hasPrefix("kexec-tools 2") || fields[4].hasPrefix("Usage: ")
      answers["\(fields[0]):\(fields[1])"] = Answer(
        status: String(fields[2]), slots: String(fields[3]),
        firstLine: lists ? "" : String(fields[4]))
    }
    for (number, row) in Self.rows.enumerated() {
      let theirs = try #require(answers["\(number):kexec-tools"])
      #expect(answers["\(number):baton"] == theirs, "kexec \(row.words)")
    }
  }
}
