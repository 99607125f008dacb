import Lab
import Testing

/// `--reuseinitrd`: what a kernel that was told to keep its initrd shows of it is the next one's.
@Suite struct ReusedInitrdTests {
  @Test func theRunningKernelsInitrdIsTheNextOnes() async throws {
    let workspace = Workspace()
    var image = Initramfs()
    for directory in ["dev", "proc", "sys", "lab"] { image.addDirectory(directory) }
    image.addFile("bin/busybox", try HostFile.bytes(of: workspace.busybox()))
    image.addFile("bin/baton", try HostFile.bytes(of: workspace.baton()))
    image.addFile("lab/kernel", try HostFile.bytes(of: workspace.kernel("6.12")))
    let token = String(UInt64.random(in: 0...UInt64.max), radix: 36)
    image.addFile("lab/token", Array(token.utf8))
    let console = Machine.Board.virt.consoleArguments
    image.addFile(
      "init",
      Array(
        """
        #!/bin/busybox sh
        export PATH=/bin
        busybox mount -t devtmpfs none /dev 2>/dev/null
        busybox mount -t proc none /proc
        busybox mount -t sysfs none /sys
        if busybox grep -q lab.second /proc/cmdline; then
          echo "lab: second: $(busybox cat /lab/token)"
        else
          baton -i -l /lab/kernel --reuseinitrd --append="\(console) lab.second" && baton -e
        fi
        busybox poweroff -f

        """.utf8))
    let archive = image.bytes
    let run = try await HostFile.withTemporaryDirectory { directory in
      try HostFile.write(archive, to: directory + "/own.cpio")
      var machine = Machine()
      machine.kernel = try workspace.kernel("6.12")
      machine.initrd = directory + "/own.cpio"
      machine.commandLine = "retain_initrd"
      let guest = machine
      return try await GuestSlots.shared.withGuest { try await guest.run() }
    }
    #expect(run.end == .poweredOff, "\(run.lastLines)")
    #expect(run.lines.contains("lab: second: \(token)"), "\(run.lastLines)")
  }
}
