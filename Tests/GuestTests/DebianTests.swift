import Foundation
import Lab
import Testing

/// What calls kexec in Debian 12, unmodified, in a Debian where the package has put baton in kexec's
/// place; and what the package does there.
@Suite(.matrix) struct DebianTests {
  private static func run(_ guest: DebianGuest) async throws -> GuestRun {
    let workspace = Workspace()
    var guest = guest
    guest.files.append(
      (name: "baton.deb", contents: try HostFile.bytes(of: workspace.package())))
    let whole = guest
    return try await GuestSlots.shared.withGuest { try await whole.run(in: workspace) }
  }

  /// What the guest said for the lab, in its order.
  private static func said(_ run: GuestRun) -> [String] {
    run.lines.compactMap { line in
      line.range(of: "lab: ").map { String(line[$0.upperBound...]) }
    }
  }

  private static let installing = "dpkg -i baton.deb >/dev/null && baton-divert on >/dev/null\n"

  @Test func lintianFindsNothingInThePackage() throws {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["lintian", "--fail-on", "error,warning", try Workspace().package()]
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let found = String(
      decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(found == "")
    #expect(process.terminationStatus == 0)
  }

  @Test func thePackageTakesKexecsPlaceOnlyWhenAskedAndGivesItBack() async throws {
    let run = try await Self.run(
      DebianGuest(
        .commands,
        commands: """
          who() { say "$1: $(readlink -f /sbin/kexec): $(kexec -v | cut -d' ' -f 1-4)"; }
          who before
          dpkg -i baton.deb >/dev/null; who "installed $?"
          baton-divert status; say "status $?"
          baton-divert on; who "on $?"
          baton-divert on; who "on again $?"
          baton-divert status; say "status $?"
          dpkg -V baton; say "verified $?"
          dpkg -i baton.deb >/dev/null; who "upgraded $?"
          systemctl enable baton-load.service baton-last.service
          mkdir -p /var/lib/baton
          echo '{}' >/var/lib/baton/last.json
          baton-divert off; who "off $?"
          baton-divert off; who "off again $?"
          baton-divert on
          dpkg -r baton; who "removed $?"
          dpkg -P baton; say "purged $?"
          say "diversions: $(dpkg-divert --list '*kexec*')"
          say "left: $(find / -xdev -path /lab -prune -o -name '*baton*' -print | xargs)"
          say "files: $(echo /sbin/kexec*)"
          sync
          poweroff -f

          """))
    #expect(run.end == .poweredOff, "\(run.lastLines)")
    let tools = "/usr/sbin/kexec: kexec-tools 2.0.25"
    let baton = "/usr/sbin/baton: kexec-tools 2.0.32, by baton"
    #expect(
      Self.said(run) == [
        "before: " + tools, "installed 0: " + tools, "status 1", "on 0: " + baton,
        "on again 0: " + baton, "status 0", "verified 0", "upgraded 0: " + baton, "off 0: " + tools,
        "off again 0: " + tools, "removed 0: " + tools, "purged 0", "diversions: ", "left: ",
        "files: /sbin/kexec",
      ], "\(run.lines)")
  }

  @Test func kdumpConfigLoadsTellsTestsAndUnloads() async throws {
    let run = try await Self.run(
      DebianGuest(
        .commands,
        commands: """
          \(Self.installing)
          # What building an initramfs for a crash would have left.
          cp /etc/kdump/sysctl.conf /var/lib/kdump/latest_sysctls-$release
          cp initrd /var/lib/kdump/initrd.img-$release
          state() { say "$1: $(kdump-config status | tail -n 1), $(cat /sys/kernel/kexec_crash_loaded)"; }
          state before
          kdump-config load; state "load $?"
          kdump-config test | grep -A 1 'kexec command'; say "test $?"
          kdump-config show | grep -A 1 'kexec command'; say "show $?"
          baton -S -p
          kdump-config unload; state "unload $?"
          kdump-config unload; state "unload again $?"
          kdump-config reload; state "reload $?"
          rm /boot/vmlinuz-$release
          kdump-config reload; state "no kernel: reload $?"
          poweroff -f

          """))
    #expect(run.end == .poweredOff, "\(run.lastLines)")
    let ready = ": current state   : ready to kdump, 1"
    let empty = ": current state   : Not ready to kdump, 0"
    #expect(
      Self.said(run) == [
        "before" + empty, "load 0" + ready, "test 0", "show 0", "unload 0" + empty,
        "unload again 0" + empty, "reload 0" + ready, "no kernel: reload 1" + empty,
      ], "\(run.lines)")
    let commands = run.lines.filter { $0.hasPrefix("  /sbin/kexec -p --command-line=") }
    #expect(commands.count == 2)
    #expect(
      run.lines.contains {
        $0.hasPrefix("crash kernel: loaded: /var/lib/kdump/vmlinuz (verifies everything)")
      })
  }

  /// sysvinit's way: /etc/init.d/rc calls them so on the way to runlevel 6.
  @Test func theInitScriptsLoadAndStartTheNextKernel() async throws {
    let run = try await Self.run(
      DebianGuest(
        .commands,
        commands: """
          \(Self.installing)
          cat >/etc/default/kexec <<EOF
          LOAD_KEXEC=true
          KERNEL_IMAGE=/boot/vmlinuz-$release
          INITRD=/lab/initrd
          APPEND="\(Machine.Board.virt.consoleArguments) panic=-1 lab.by=scripts"
          EOF
          export RUNLEVEL=6 PREVLEVEL=2
          /etc/init.d/kexec-load stop; say "loaded $?: $(cat /sys/kernel/kexec_loaded)"
          /etc/init.d/kexec-load stop; say "loaded $?: $(cat /sys/kernel/kexec_loaded)"
          /etc/init.d/kexec stop
          say "still here"
          poweroff -f

          """))
    try Self.expectArrival(run, by: "scripts")
    #expect(Self.said(run).filter { $0.hasPrefix("loaded") } == ["loaded 0: 1", "loaded 0: 1"])
  }

  /// systemd 252 finds the boot entry, calls `kexec --load` with what stands there, stops everything, and
  /// calls `kexec -e` from a root that is read-only by then.
  @Test func systemctlKexecLoadsTheBootEntryAndStartsIt() async throws {
    let run = try await Self.run(
      DebianGuest(
        .systemd,
        commands: """
          \(Self.installing)
          mkdir -p /boot/loader/entries
          cp initrd /boot/initrd-lab
          cat >/boot/loader/entries/lab.conf <<EOF
          title The lab's
          version 1
          linux /vmlinuz-$release
          initrd /initrd-lab
          options \(Machine.Board.virt.consoleArguments) panic=-1 lab.by=systemctl
          EOF
          say "systemd $(systemctl --version | head -n 1)"
          say "before: $(cat /sys/kernel/kexec_loaded)"
          SYSTEMD_ESP_PATH=/boot SYSTEMD_RELAX_ESP_CHECKS=1 systemctl kexec --no-block

          """))
    try Self.expectArrival(run, by: "systemctl")
    let said = Self.said(run)
    #expect(said.contains { $0.hasPrefix("systemd systemd 252 ") }, "\(said)")
    #expect(said.contains("before: 0"), "\(said)")
  }

  /// Without the package in kexec's place. The unit loads while it is stopped, and only on the way to
  /// kexec.target; what the other says in the kernel that arrived stands in that one's journal.
  @Test func theUnitsLoadOnTheWayDownAndReportInTheNextJournal() async throws {
    let run = try await Self.run(
      DebianGuest(
        .systemd,
        commands: """
          if grep -q lab.by= /proc/cmdline; then
            say "command line: $(cat /proc/cmdline)"
            say "reported: $(systemctl show -P Result baton-last.service)"
            journalctl --sync
            journalctl -b -o cat -u baton-last.service | sed 's/^/lab: journal: /'
            poweroff -f
          fi
          dpkg -i baton.deb >/dev/null
          cat >/etc/default/baton <<EOF
          KERNEL=/boot/vmlinuz-$release
          INITRD=/lab/debian-initrd
          OPTIONS="--reuse-cmdline --append='panic=-1 lab.by=units'"
          EOF
          systemctl enable baton-load.service baton-last.service
          systemctl start baton-load.service
          say "started: $(cat /sys/kernel/kexec_loaded)"
          systemctl restart baton-load.service
          say "restarted $?: $(cat /sys/kernel/kexec_loaded)"
          systemctl start --no-block kexec.target

          """))
    try Self.expectArrival(run, by: "units")
    let said = Self.said(run)
    #expect(said.contains("started: 0") && said.contains("restarted 0: 0"), "\(said)")
    #expect(said.contains("reported: success"), "\(said)")
    #expect(said.contains { $0.hasPrefix("journal: arrived: plan 0x") }, "\(said)")
    #expect(said.contains { $0.hasPrefix("journal:   stage: verify ") }, "\(said)")
  }

  /// Every byte was verified (the line may stand behind what clears the screen), and the next kernel is what was asked for.
  private static func expectArrival(_ run: GuestRun, by caller: String) throws {
    #expect(run.end == .poweredOff, "\(run.lines.suffix(40))")
    #expect(
      run.lines.contains {
        $0.contains("baton: EL2, MMU and caches on: ") && $0.contains("verified")
      })
    let line = try #require(
      run.lines.first { $0.hasPrefix("lab: command line: ") }, "\(run.lines.suffix(40))")
    #expect(line.hasSuffix("lab.by=" + caller))
    #expect(run.lines.contains { $0.contains("arrived: plan 0x") })
  }
}
