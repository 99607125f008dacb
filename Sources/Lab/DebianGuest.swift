/// A whole Debian in a guest, on the disk that `Scripts/setup --matrix` makes, with Debian's 6.1 kernel.
/// What the guest writes there is gone with it.
public struct DebianGuest: Sendable {
  /// What executes the commands.
  public enum Init: Sendable {
    /// systemd, as a unit, once the system is up.
    case systemd
    /// The kernel, in place of an init: nothing else runs.
    case commands
  }

  public var initProcess: Init
  /// What lies in /lab, by names.
  public var files: [(name: String, contents: [UInt8])] = []
  /// What bash executes, its output on the console.
  public var commands: String
  /// What the next kernel's small userland, /lab/initrd, executes. With /lab/debian-initrd the next kernel
  /// comes up in the same Debian, and executes `commands` once more.
  public var nextCommands = "baton --last"
  public var machine = Machine()

  public init(_ initProcess: Init, commands: String) {
    self.initProcess = initProcess
    self.commands = commands
    machine.memory = 2048
    machine.commandLine =
      "quiet crashkernel=256M systemd.unit=multi-user.target systemd.show_status=0"
      + " systemd.default_standard_output=journal+console"
  }

  /// Runs the guest to its end: that of the next kernel, if the commands start one.
  public func run(in workspace: Workspace) async throws -> GuestRun {
    try await HostFile.withTemporaryDirectory { directory in
      try HostFile.write(try await archive(workspace), to: directory + "/debian.cpio")
      var machine = machine
      machine.kernel = try workspace.kernel("6.1")
      machine.initrd = directory + "/debian.cpio"
      machine.disk = try workspace.debianRoot()
      machine.forgetsDisk = true
      return try await machine.run()
    }
  }

  /// What mounts the disk, puts the files there, and leaves the rest to systemd.
  private func archive(_ workspace: Workspace) async throws -> [UInt8] {
    let busybox = try workspace.busybox()
    var image = try root(workspace)
    // The same without what is put into the Debian: by then that is there.
    let again = image.bytes
    image.addFile("lab/lab.service", Array(Self.unit.utf8))
    image.addFile("lab/commands", Array(("#!/bin/bash\n" + Self.surroundings + commands).utf8))
    image.addFile(
      "lab/initrd",
      try await Userland.second(
        busybox: busybox,
        files: [("bin/baton", try HostFile.bytes(of: workspace.baton()))], commands: nextCommands,
        ballast: 0))
    image.addFile("lab/debian-initrd", again)
    for file in files { image.addFile("lab/" + file.name, file.contents) }
    return image.bytes
  }

  /// What mounts the disk and goes on there.
  private func root(_ workspace: Workspace) throws(LabError) -> Initramfs {
    var image = Initramfs()
    for directory in ["dev", "proc", "debian"] { image.addDirectory(directory) }
    image.addFile("bin/busybox", try HostFile.bytes(of: workspace.busybox()))
    let modules = try workspace.kernel("6.1").dropLast("vmlinuz".count) + "modules/"
    for module in Userland.diskModules where HostFile.exists(modules + module + ".ko") {
      image.addFile("modules/\(module).ko", try HostFile.bytes(of: modules + module + ".ko"))
    }
    let start = initProcess == .systemd ? "/sbin/init" : "/lab/commands"
    image.addFile(
      "init", Array((Self.mounting + "exec busybox switch_root /debian \(start)\n").utf8))
    return image
  }

  private static let mounting = """
    #!/bin/busybox sh
    export PATH=/bin
    busybox mount -t devtmpfs none /dev
    for module in \(Userland.diskModules.joined(separator: " ")); do
      [ ! -e /modules/$module.ko ] || busybox insmod /modules/$module.ko
    done
    busybox mount -t ext4 /dev/vda /debian
    if [ -e /lab ]; then
      busybox cp -r /lab /debian/lab
      units=/debian/etc/systemd/system
      busybox mkdir -p $units/multi-user.target.wants
      busybox mv /debian/lab/lab.service $units
      busybox ln -s ../lab.service $units/multi-user.target.wants
    fi

    """

  /// What the commands may count on, whoever started them.
  private static let surroundings = """
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin
    if [ $$ -eq 1 ]; then
      mount -t devtmpfs none /dev
      mount -t proc none /proc
      mount -t sysfs none /sys
      mount -t tmpfs none /run
    fi
    say() { echo "lab: $*"; }
    release=$(uname -r)
    cd /lab

    """

  private static let unit = """
    [Unit]
    Description=What the lab wants done
    After=kexec-load.service kexec.service baton-last.service

    [Service]
    Type=oneshot
    ExecStart=/bin/sh -c 'exec /lab/commands >/dev/console 2>&1'

    """
}
