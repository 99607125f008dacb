import Foundation
import Lab
import Testing

/// What cannot be loaded, by the real command on a real kernel: each has its sentence and its exit
/// status, what was loaded before stays loaded, and starts in the end.
@Suite struct RefusedLoadTests {
  private struct Refusal: Sendable {
    let name: String
    /// Shell commands that bring it about.
    var preparation = ""
    let command: String
    let status: Int
    /// What the sentence says.
    let words: String
  }

  /// A file that is the kernel, but for what is written at an offset.
  private static func kernel(changed octal: String, at offset: Int) -> String {
    """
    busybox cp /lab/kernel /changed
    busybox printf '\(octal)' | busybox dd of=/changed bs=1 seek=\(offset) conv=notrunc
    """
  }

  /// A file of zeros, but for this.
  private static func file(_ parts: [(octal: String, offset: Int)]) -> String {
    (["busybox dd if=/dev/zero of=/changed bs=2048 count=1"]
      + parts.map {
        "busybox printf '\($0.octal)' | busybox dd of=/changed bs=1 seek=\($0.offset) conv=notrunc"
      }).joined(separator: "\n")
  }

  private static let refusals = [
    Refusal(name: "missing", command: "baton -l /none", status: 3, words: "/none: No such file"),
    Refusal(name: "directory", command: "baton -l /lab", status: 3, words: "/lab: Is a directory"),
    Refusal(
      name: "program", command: "baton -l /bin/busybox", status: 3,
      words: "/bin/busybox: not an arm64 kernel Image but "),
    Refusal(
      name: "truncated", preparation: "busybox head -c 9000000 /lab/kernel >/changed",
      command: "baton -l /changed", status: 3, words: "/changed: truncated: 9000000 of at least "),
    Refusal(
      name: "big-endian", preparation: kernel(changed: #"\013"#, at: 24),
      command: "baton -l /changed", status: 3, words: "/changed: a big-endian kernel"),
    Refusal(
      name: "image_size 0", preparation: kernel(changed: #"\0\0\0\0"#, at: 16),
      command: "baton -l /changed", status: 3, words: "(image_size 0, before Linux 3.17)"),
    Refusal(
      name: "pages of 16K", preparation: kernel(changed: #"\014"#, at: 24),
      command: "baton -l /changed", status: 6, words: "this CPU (Cortex-A57) lacks"),
    Refusal(
      name: "bzImage", preparation: file([(#"\125\252"#, 510), ("HdrS", 0x202)]),
      command: "baton -l /changed", status: 3, words: "an x86 kernel (bzImage)"),
    Refusal(
      name: "zImage", preparation: file([(#"\030\050\157\01"#, 0x24)]),
      command: "baton -l /changed", status: 3, words: "a 32-bit Arm kernel (zImage)"),
    Refusal(
      name: "tree", preparation: "busybox head -c 1000 /sys/firmware/fdt >/changed",
      command: "baton -l /lab/kernel --dtb=/changed", status: 3,
      words: "/changed is no usable device tree: it says that it has "),
    Refusal(
      name: "initrd", command: "baton -l /lab/kernel --initrd=/none", status: 3,
      words: "/none: No such file"),
    Refusal(
      name: "initrd that does not fit",
      command: "baton -l /lab/kernel --initrd=/lab/initrd --mem-min=0x50000000 "
        + "--mem-max=0x51b00000",
      status: 4, words: "bytes for the initrd where the boot protocol allows it"),
    Refusal(
      name: "little memory",
      preparation: """
        busybox mkdir /full
        busybox mount -t tmpfs -o size=100% none /full
        free=$(busybox sed -n 's/MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo)
        busybox dd if=/dev/zero of=/full/file bs=1k count=$((free - 20000))
        """,
      command: "baton -l /lab/kernel", status: 4, words: " KiB are available; stop programs"),
    Refusal(
      name: "little address space", preparation: "busybox umount /full",
      command: "limited 20000 -l /lab/kernel", status: 4,
      words: "/lab/kernel: there is too little memory for it"),
    Refusal(
      name: "nobody", preparation: "echo nobody:x:65534:65534::/:/bin/sh >/etc/passwd",
      command: "busybox su -s /bin/sh nobody -c 'exec baton -l /lab/kernel'", status: 5,
      words: "takes root (CAP_SYS_BOOT)"),
    Refusal(
      name: "no kexec", preparation: "busybox umount /sys", command: "baton -l /lab/kernel",
      status: 6, words: "no /sys/kernel/kexec_loaded"),
    Refusal(
      name: "lockdown",
      preparation: """
        busybox mount -t sysfs none /sys
        busybox mount -t securityfs none /sys/kernel/security
        echo integrity >/sys/kernel/security/lockdown
        """,
      command: "baton -l /lab/kernel --via=memory", status: 5, words: "this kernel is locked down"),
    Refusal(
      name: "lockdown, and no kexec_file_load", command: "baton -l /lab/kernel", status: 6,
      words: "built without kexec_file_load (CONFIG_KEXEC_FILE)"),
    Refusal(
      name: "sysctl", preparation: "echo 1 >/proc/sys/kernel/kexec_load_disabled",
      command: "baton -l /lab/kernel", status: 5, words: "(sysctl kernel.kexec_load_disabled)"),
  ]

  /// Questions in between, and what a lack of memory does to baton itself: with any limit the plan is
  /// made, or there is a sentence.
  private static let questions = """
    echo "lab: check $(baton --check --json)"
    echo "lab: status $(baton --status --json)"
    echo "lab: plan $(baton -i -l /lab/kernel --initrd=/lab/initrd --dry-run --json)"
    limited() { (ulimit -v $1; shift; exec baton "$@"); }
    for limit in 1000 2000 10000 $(busybox seq 28000 500 32000) 40000; do
      limited $limit -i -l /lab/kernel --initrd=/lab/initrd --dry-run >/dev/null 2>/tmp/error
      echo "lab: limit $limit: $?: $(busybox head -n 1 /tmp/error)"
    done

    """

  /// In a namespace of its own for process numbers, reboot(2) starts no kernel.
  private static let failingStart = """
    busybox insmod /lab/modules/dummy.ko numdummies=2
    busybox ip link set dummy0 up
    busybox unshare -p -f baton -e 2>/tmp/error
    echo "lab: start: $?: $(busybox tail -n 1 /tmp/error)"
    busybox sed 's/^/lab: start said: /' /tmp/error
    for interface in dummy0 dummy1; do
      echo "lab: $interface $(busybox cat /sys/class/net/$interface/flags)"
    done

    """

  private static var script: String {
    var script = "busybox mkdir -p /tmp /etc; busybox ln -s busybox /bin/sh\n" + questions
    for refusal in refusals {
      script += """
        { \(refusal.preparation.isEmpty ? ":" : refusal.preparation)
        } 2>/dev/null
        \(refusal.command) >/tmp/output 2>/tmp/error
        echo "lab: refused \(refusal.name): $?: $(busybox tail -n 1 /tmp/error)"
        echo "lab: slot after \(refusal.name): $(busybox cat /sys/kernel/kexec_loaded)"

        """
    }
    return script + failingStart + """
      busybox mkdir -p /var/lib
      echo >/var/lib/baton
      busybox mkfifo /unread
      exec 5<>/unread 6>/unread 5<&-
      baton -e 2>&6
      """
  }

  @Test func whatCannotBeLoadedIsToldAndWhatWasLoadedStays() async throws {
    let workspace = Workspace()
    var handoff = try Handoff(debian: "6.1", in: workspace)
    handoff.machine.memory = 512
    handoff.interlude = Self.script
    let run = try await GuestSlots.shared.withGuest { [handoff] in
      try await handoff.runUnmeasured(in: workspace)
    }
    func answers(_ prefix: String) -> [String] {
      run.lines.compactMap {
        $0.hasPrefix("lab: " + prefix) ? String($0.dropFirst(5 + prefix.count)) : nil
      }
    }
    for refusal in Self.refusals {
      let answer = try #require(
        answers("refused \(refusal.name): ").first,
        "\(refusal.name): \(run.lines.filter { !$0.hasPrefix("[") })")
      #expect(answer.hasPrefix("\(refusal.status): "), "\(refusal.name): \(answer)")
      #expect(answer.contains(refusal.words), "\(refusal.name): \(answer)")
      if refusal.name != "no kexec" {
        #expect(answers("slot after \(refusal.name): ") == ["1"])
      }
    }
    // A shell's 126 and more: not started, or ended by a signal.
    let limits = answers("limit ").map { $0.split(separator: ":", maxSplits: 2) }
    let started = limits.drop { $0.count < 3 || (Int($0[1].dropFirst()) ?? 126) >= 126 }
    #expect(started.count >= 10, "\(limits)")
    for answer in started {
      #expect([" 0", " 4"].contains(answer[1]), "\(answer)")
      #expect(answer[1] == " 0" || answer[2].hasPrefix(" baton: "), "\(answer)")
    }
    #expect(started.contains { $0[2].contains("too little memory for baton itself") }, "\(limits)")
    #expect(started.last?[1] == " 0", "\(limits)")

    let check = try Self.object(answers("check ").first)
    #expect(check["works"] as? Bool == true && check["level"] as? String == "EL2")
    #expect(check["lockdown"] is NSNull && check["pageSize"] as? Int == 4096)
    let status = try Self.object(answers("status ").first)
    #expect(status["loaded"] as? Bool == true && status["loadedByBaton"] as? Bool == true)
    #expect(status["kernel"] as? String == "/lab/kernel")
    let plan = try Self.object(answers("plan ").first)
    #expect(plan["via"] as? String == "memory" && (plan["segments"] as? [Any])?.count == 8)

    #expect(
      answers("start: ") == [
        "7: baton: the running kernel did not start the loaded one: reboot: Invalid argument"
      ])
    // IFF_UP is the lowest bit; what was down stays so, and nobody says anything of it.
    #expect(answers("dummy0 ") == ["0x83"] && answers("dummy1 ") == ["0x82"])
    #expect(
      answers("start said: baton: warning: network interface ") == [
        "dummy0 was taken down and is up again; IPv6 addresses and routes of it may be gone"
      ])

    // What was loaded first is what starts, though nobody reads what -e warns of.
    #expect(run.end == .poweredOff, "\(run.lastLines)")
    #expect(
      run.lines.contains { $0.hasPrefix("lab: command line: ") && $0.hasSuffix(handoff.token) })
  }

  private static func object(_ text: String?) throws -> [String: Any] {
    let text = try #require(text)
    let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
    return try #require(object as? [String: Any], "\(text)")
  }
}
