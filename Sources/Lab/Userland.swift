import Subprocess

/// The small userlands of a handoff: busybox, and an `/init` that tells the lab where it is.
///
/// What `/init` says begins with `lab: `, so that the lab finds it among the kernel's lines.
enum Userland {
  static let first = "lab: first userland"
  static let loading = "lab: loading"
  static let loaded = "lab: loaded "
  static let second = "lab: second userland"
  static let turn = "lab: turn "
  static let online = "lab: online "
  static let arrived = "lab: arrived "
  static let commandLine = "lab: command line: "
  static let ballast = "lab: ballast: "
  static let finished = "lab: finished"

  private static let mounts = """
    #!/bin/busybox sh
    export PATH=/bin
    busybox mount -t devtmpfs none /dev 2>/dev/null
    busybox mount -t proc none /proc
    busybox mount -t sysfs none /sys
    # What is said here is read line by line: no word of the kernel's may come between.
    busybox dmesg -n 1

    """

  /// Lets the kernel speak again: what it says when it stops is read, too.
  private static let speak = "busybox dmesg -n 7"

  /// In the order in which they are loaded.
  static let diskModules = ["virtio", "virtio_ring", "virtio_mmio", "virtio_blk"]

  /// Mounts the machine's disk, an ext4 file system, where `baton -e` leaves its record.
  static let mountingDisk = """
    for module in \(diskModules.joined(separator: " ")); do
      [ ! -e /lab/modules/$module.ko ] || busybox insmod /lab/modules/$module.ko
    done
    busybox mkdir -p /var/lib/baton
    busybox mount -t ext4 /dev/vda /var/lib/baton || echo "lab: no disk"

    """

  private static func base(busybox: String) throws(LabError) -> Initramfs {
    var image = Initramfs()
    for directory in ["dev", "proc", "sys", "lab"] { image.addDirectory(directory) }
    image.addFile("bin/busybox", try HostFile.bytes(of: busybox))
    return image
  }

  /// The first kernel's: `files` beside busybox; executes `commands`, loads with `load`, waits for a line on the
  /// console, so that the lab decides when, and hands over with `execute`.
  static func first(
    busybox: String, files: [(path: String, contents: [UInt8])], commands: String = "",
    load: String, execute: String
  ) throws(LabError) -> Initramfs {
    var image = try base(busybox: busybox)
    for file in files { image.addFile(file.path, file.contents) }
    image.addFile(
      "init",
      Array(
        """
        \(mounts)
        echo "\(first)"
        \(commands)
        echo "\(loading)"
        \(load)
        echo "\(loaded)$?"
        read line
        \(speak)
        \(execute)
        echo "lab: still here: $?"
        busybox poweroff -f

        """.utf8))
    return image
  }

  /// The second kernel's: says that it is there and what it was told, executes `commands`, and
  /// switches the machine off. Compressed, as distributions' are, but for `ballast`.
  ///
  /// - Parameters:
  ///   - ballast: bytes of a file in an archive in front, which it compares with its digest.
  static func second(
    busybox: String, files: [(path: String, contents: [UInt8])], commands: String = "",
    ballast: Int
  ) async throws -> [UInt8] {
    var image = try base(busybox: busybox)
    for file in files { image.addFile(file.path, file.contents) }
    image.addFile(
      "init",
      Array(
        """
        \(mounts)
        echo "\(second)"
        echo "\(commandLine)$(busybox cat /proc/cmdline)"
        [ ! -f /lab/ballast ] ||
          echo "\(Self.ballast)$(busybox sha256sum -c /lab/ballast.sha256)"
        \(commands)
        echo "\(finished)"
        busybox poweroff -f

        """.utf8))
    let result = try await Subprocess.run(
      .name("gzip"), arguments: ["-n", "-9"], input: .array(image.bytes),
      output: .bytes(limit: 1 << 30), error: .string(limit: 1 << 12))
    guard result.terminationStatus.isSuccess else {
      throw LabError.programFailed(
        name: "gzip", status: result.terminationStatus.description, message: result.standardError)
    }
    guard ballast > 0 else { return result.standardOutput }
    return try await archive(ofBallast: ballast) + result.standardOutput
  }

  /// Random bytes: the same mebibyte again and again but for its number.
  static func noise(_ size: Int) -> [UInt8] {
    var chunk = (0..<1 << 20).map { _ in UInt8.random(in: 0...UInt8.max) }
    var content: [UInt8] = []
    content.reserveCapacity(size + chunk.count)
    while content.count < size {
      chunk[0] = UInt8(truncatingIfNeeded: content.count >> 20)
      chunk[1] = UInt8(truncatingIfNeeded: content.count >> 28)
      content += chunk
    }
    content.removeLast(content.count - size)
    return content
  }

  /// An archive of a file of noise, and of its digest. Linux takes several archives one behind the
  /// other.
  private static func archive(ofBallast size: Int) async throws -> [UInt8] {
    let content = noise(size)
    let digest = try await Subprocess.run(
      .name("sha256sum"), input: .array(content), output: .string(limit: 1 << 10),
      error: .string(limit: 1 << 12))
    guard digest.terminationStatus.isSuccess else {
      throw LabError.programFailed(
        name: "sha256sum", status: digest.terminationStatus.description,
        message: digest.standardError)
    }
    var image = Initramfs()
    image.addDirectory("lab")
    image.addFile("lab/ballast", content)
    image.addFile(
      "lab/ballast.sha256", Array((digest.standardOutput.prefix(64) + "  /lab/ballast\n").utf8))
    return image.bytes
  }

  /// Which of a chain's kernels it is, by the command line that the one before gave it.
  private static let readingTurn = """
    turn=0
    for word in $(busybox cat /proc/cmdline); do
      case $word in lab.turn=*) turn=${word#lab.turn=} ;; esac
    done
    """

  /// Every kernel's in a chain: says which it is and which CPUs are online, packs what it runs from for the next one, and
  /// hands over, until `length` handoffs have taken place. `files` are baton and the kernel.
  static func chain(
    busybox: String, files: [(path: String, contents: [UInt8])], length: Int
  ) throws(LabError) -> Initramfs {
    var image = try base(busybox: busybox)
    for file in files { image.addFile(file.path, file.contents) }
    image.addFile(
      "init",
      Array(
        """
        \(mounts)
        \(readingTurn)
        echo "\(turn)$turn"
        echo "\(online)$(busybox cat /sys/devices/system/cpu/online)"
        [ $turn -ne \(length) ] || busybox poweroff -f
        { echo dev; echo proc; echo sys; busybox find bin init lab; } |
          busybox cpio -o -H newc >next.cpio
        baton -l lab/kernel --initrd=next.cpio \
          --append="\(Machine.Board.virt.consoleArguments) lab.turn=$((turn + 1))" && baton -e
        echo "lab: still here: $?"
        busybox poweroff -f

        """.utf8))
    return image
  }

  /// Every kernel's in a chain of formats: says which it is, what marks it has and what its device tree
  /// bears, packs what it runs from but for the marks, and loads the next from the disk.
  static func formats(
    busybox: String, files: [(path: String, contents: [UInt8])], loads: [String]
  ) throws(LabError) -> Initramfs {
    var image = try base(busybox: busybox)
    for file in files { image.addFile(file.path, file.contents) }
    let cases = loads.enumerated().map { "\($0)) baton -l \($1) ;;" }.joined(separator: "\n  ")
    image.addFile(
      "init",
      Array(
        """
        \(mounts)
        \(readingTurn)
        echo "\(arrived)$turn [$(echo $(busybox ls /lab/marks))] [$(busybox cat '/proc/device-tree/lab,mark')]"
        [ $turn -ne \(loads.count) ] || busybox poweroff -f
        \(mountingDisk)
        { echo dev; echo proc; echo sys; busybox find bin init lab | busybox grep -v lab/marks; } |
          busybox cpio -o -H newc >\(FormatChain.rest)
        case $turn in
          \(cases)
        esac && baton -e
        echo "lab: still here: $?"
        busybox poweroff -f

        """.utf8))
    return image
  }
}
