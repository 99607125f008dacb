import BatonCommand
import Foundation
import LinuxHost
import PhysicalMemory
import Testing

/// `--via=crashkernel` and what goes with it: two slots, and who owns what lies in them.
@Suite struct StagingTests {
  private static let load = ["-l", "/boot/Image", "--initrd=/boot/initrd", "--append=quiet"]
  private static let region = PhysicalRange(
    PhysicalAddress(0xa000_0000), upTo: PhysicalAddress(0xa400_0000))
  private static let record = "/run/baton/loaded.json"

  @Test(arguments: [[], ["--via=crashkernel"], ["--via=auto", "-i"]])
  func `Kernel, initrd and tree go into the region, the stage alone into the normal slot`(
    options: [String]
  ) throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load + options, system: linux) == .success)
    #expect(linux.complaints == "")
    let calls = calls(linux)
    #expect(calls.map(\.slot) == [.crash, .normal])
    let (crash, normal) = (calls[0], calls[1])
    #expect(crash.segments.contains { $0.bytes == FakeLinux.kernelImage })
    #expect(crash.segments.contains { $0.bytes == linux.files["/boot/initrd"] })
    for segment in crash.segments {
      #expect(Self.region.contains(Self.range(segment)))
      #expect(segment.destination % 4096 == 0 && segment.memorySize % 4096 == 0)
    }
    #expect(Self.region.contains(PhysicalAddress(crash.entry)))
    var size = 0
    for segment in normal.segments {
      #expect(!Self.region.overlaps(Self.range(segment)))
      size += segment.memorySize
    }
    #expect(size <= 256 << 10)
  }

  /// Linux takes the lowest two free pages of the region for control pages at each load of the
  /// crash slot, and writes into the second: they have to be the canary's, and nobody else's.
  @Test(arguments: [4096, 65536] as [UInt64])
  func `The region's first two pages are zeros that any other load changes`(
    pageSize: UInt64
  ) throws {
    let linux = try FakeLinux.reserving()
    linux.pageSize = pageSize
    #expect(Baton.run(Self.load + ["-i"], system: linux) == .success, "\(linux.complaints)")
    let crash = calls(linux)[0]
    let first = crash.segments.filter {
      $0.destination < Self.region.start.rawValue + 2 * pageSize
    }
    #expect(first.count == 1)
    #expect(first[0].destination == Self.region.start.rawValue)
    #expect(first[0].bytes.isEmpty && first[0].memorySize == 2 * Int(pageSize))
    let kernel = try #require(crash.segments.first { $0.bytes == FakeLinux.kernelImage })
    #expect(kernel.destination == Self.region.start.rawValue + 2 << 20)
  }

  @Test func `What the stage moves is work for more CPUs, though little of it is verified`() throws
  {
    let linux = try FakeLinux.reserving()
    linux.files["/sys/devices/system/cpu/online"] = Array("0-7\n".utf8)
    for cpu in 0..<8 as Range<UInt8> {
      linux.files["/sys/devices/system/cpu/cpu\(cpu)/of_node/reg"] = [0, 0, 0, cpu]
    }
    func processors(flags: UInt64) throws -> Int? {
      var image = FakeLinux.kernelImage(flags: flags)
      image += [UInt8](repeating: 5, count: 13 << 20)
      image[18] = 0xe0  // 14 MiB of memory
      linux.files["/boot/Image"] = image
      let before = linux.output.count
      #expect(
        Baton.run(Self.load + ["-i", "--dry-run", "--json"], system: linux) == .success,
        "\(linux.complaints)")
      let plan = try JSONSerialization.jsonObject(
        with: Data(linux.output.dropFirst(before).utf8))
      return (plan as? [String: Any])?["cpus"] as? Int
    }
    #expect(try processors(flags: 0b1010) == 1)
    // 13 MiB and a little, at 4 MiB for each.
    #expect(try processors(flags: 0b0010) == 3)
  }

  @Test func `The crash slot's entry is not the kernel, but the guard's branch`() throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load, system: linux) == .success)
    let crash = calls(linux)[0]
    let guardCode = try #require(
      crash.segments.first { Self.range($0).contains(PhysicalAddress(crash.entry)) })
    let offset = Int(crash.entry - guardCode.destination)
    let word = (0..<4).reduce(0) { $0 | UInt32(guardCode.bytes[offset + $1]) << (8 * UInt32($1)) }
    // b: an unconditional branch.
    #expect(word >> 26 == 0b000101)
    #expect(guardCode.bytes.dropFirst(8).starts(with: "BNTSTAGE".utf8))
  }

  @Test func `The normal slot is emptied first, and filled last`() throws {
    let linux = try FakeLinux.reserving()
    linux.setLoaded(.normal, true)
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(calls(linux).map(\.slot) == [.normal, .crash, .normal])
    #expect(calls(linux)[0].segments.isEmpty)
    #expect(!calls(linux)[2].segments.isEmpty)
  }

  @Test func `What is in the crash slot is known for Baton's before it is loaded`() throws {
    let linux = try FakeLinux.reserving()
    linux.slotFailures[.normal] = .noMemory
    var states: [String?] = []
    linux.onKexecLoad = { linux in
      states.append(
        linux.files[Self.record].flatMap {
          (try? JSONSerialization.jsonObject(with: Data($0))) as? [String: Any]
        }?["state"] as? String)
    }
    // As a load that is killed after the first call: whatever comes later finds the intent.
    #expect(Baton.run(Self.load, system: linux) == .noRoom)
    #expect(states.first == "staging")
    #expect(linux.complaints.contains("nothing is loaded now"))
    #expect(calls(linux).map(\.segments.isEmpty) == [false, false, true])
    #expect(calls(linux).last?.slot == .crash)
    #expect(linux.files[Self.record] == nil)
  }

  @Test func `An interrupted load is told, removed and loaded over`() throws {
    let linux = try FakeLinux.reserving()
    linux.setLoaded(.crash, true)
    linux.files[Self.record] = Array(
      ("{\"bootId\":\"5f2a9d60-0000-4000-8000-000000000001\",\"state\":\"staging\","
        + "\"crashSlot\":\"staged\"}").utf8)
    #expect(Baton.run(["-S"], system: linux) == .negative)
    #expect(linux.output.contains("left behind"))
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(calls(linux).map(\.slot) == [.crash, .normal])
    linux.setLoaded(.normal, false)
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(calls(linux).suffix(2).map(\.slot) == [.normal, .crash])
    #expect(calls(linux).suffix(2).allSatisfy { $0.segments.isEmpty })
  }

  @Test func `A dump kernel is left alone, unless its place is asked for`() throws {
    let linux = try FakeLinux.reserving()
    linux.setLoaded(.crash, true)
    #expect(Baton.run(Self.load + ["--via=crashkernel"], system: linux) == .notPermitted)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains("--replace-crash-kernel"))
    #expect(Baton.run(Self.load + ["-d"], system: linux) == .success)
    #expect(calls(linux).map(\.slot) == [.normal])
    #expect(linux.output.contains("via memory: a dump kernel is loaded"))
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(calls(linux).map(\.slot) == [.normal, .normal])
    #expect(
      Baton.run(Self.load + ["--via=crashkernel", "--replace-crash-kernel"], system: linux)
        == .success)
    #expect(calls(linux).suffix(2).map(\.slot) == [.crash, .normal])
  }

  @Test func `A record of another boot makes nothing Baton's`() throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load, system: linux) == .success)
    linux.files["/proc/sys/kernel/random/boot_id"] = Array("another\n".utf8)
    #expect(Baton.run(["-S", "--json"], system: linux) == .success)
    let answer = try #require(
      try JSONSerialization.jsonObject(with: Data(linux.output.utf8)) as? [String: Any])
    #expect(answer["crashKernelLoaded"] as? Bool == true)
    #expect(answer["stagedImageLoaded"] as? Bool == false)
    let effects = linux.effects
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(linux.effects == effects)
  }

  @Test func `The status tells a staged image from a dump kernel`() throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load, system: linux) == .success)
    linux.showsMemory = true
    #expect(Baton.run(["-S"], system: linux) == .success)
    #expect(
      linux.output == """
        next kernel: loaded: /boot/Image (via crashkernel, verifies everything): baton -e starts it
        why this way: nothing is left to move
        crash kernel: not loaded: the next kernel is staged there, and a panic resets

        """)
  }

  @Test func `What was staged and is gone is not started`() throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load, system: linux) == .success)
    linux.setLoaded(.crash, false)
    #expect(Baton.run(["-e"], system: linux) == .negative)
    #expect(!linux.effects.contains(.reboot))
    #expect(linux.complaints.contains("load it again"))
  }

  @Test func `A load by another way takes away what an earlier one staged`() throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(Baton.run(Self.load + ["--via=memory"], system: linux) == .success)
    let last = calls(linux).suffix(2)
    #expect(last.map(\.slot) == [.normal, .crash])
    #expect(last.map(\.segments.isEmpty) == [false, true])
  }

  @Test func `A region that refuses leaves nothing loaded, and the ordinary way`() throws {
    let linux = try FakeLinux.reserving()
    linux.slotFailures[.crash] = .addressNotAvailable
    #expect(Baton.run(Self.load + ["--via=crashkernel"], system: linux) == .systemCall)
    #expect(linux.complaints.contains("nothing is loaded now, no dump kernel either"))
    #expect(linux.files[Self.record] == nil)
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(calls(linux).map(\.slot) == [.crash, .crash, .normal])
    #expect(calls(linux)[2].segments.contains { $0.bytes == FakeLinux.kernelImage })
  }

  @Test func `A crash slot that cannot be changed now keeps what it held, known for what it is`()
    throws
  {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load, system: linux) == .success)
    linux.slotRefusals[.crash] = .busy
    #expect(Baton.run(Self.load + ["--via=crashkernel"], system: linux) == .systemCall)
    #expect(linux.complaints.contains("the region holds what it held"), "\(linux.complaints)")
    #expect(!linux.complaints.contains("nothing is loaded now"))
    #expect(try linux.status()["stagedImageLoaded"] as? Bool == true)

    let dump = try FakeLinux.reserving()
    dump.setLoaded(.crash, true)
    dump.slotRefusals[.crash] = .busy
    let replacing = Self.load + ["--via=crashkernel", "--replace-crash-kernel"]
    #expect(Baton.run(replacing, system: dump) == .systemCall)
    #expect(dump.complaints.contains("the region holds what it held"))
    #expect(try dump.status()["crashKernelLoaded"] as? Bool == true)
  }

  @Test func `A guard that stays behind is no dump kernel, whatever was loaded since`() throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load, system: linux) == .success)
    linux.slotRefusals[.crash] = .busy
    #expect(Baton.run(Self.load + ["--via=memory"], system: linux) == .success)
    #expect(linux.complaints.contains("stays in the crashkernel region"))
    #expect(try linux.status()["crashKernelLoaded"] as? Bool == false)
    linux.slotRefusals = [:]
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(try linux.status()["stagedImageLoaded"] as? Bool == false)
    #expect(linux.files["/sys/kernel/kexec_crash_loaded"] == Array("0\n".utf8))
  }

  @Test func `A stage that is refused, and a region that keeps its image, are told`() throws {
    let linux = try FakeLinux.reserving()
    linux.slotFailures[.normal] = .noMemory
    linux.onKexecLoad = { if $0.effects.count == 1 { $0.slotRefusals[.crash] = .busy } }
    #expect(Baton.run(Self.load + ["--via=crashkernel"], system: linux) == .noRoom)
    #expect(linux.complaints.contains("baton -u removes it"), "\(linux.complaints)")
    #expect(try linux.status()["stagedImageLoaded"] as? Bool == true)
  }

  @Test func `An unload that the crash slot refuses leaves on record what is left`() throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load, system: linux) == .success)
    linux.slotRefusals[.crash] = .busy
    #expect(Baton.run(["-u"], system: linux) == .systemCall)
    #expect(linux.complaints.contains("could not be taken back"), "\(linux.complaints)")
    let left = try linux.status()
    #expect(left["loaded"] as? Bool == false)
    #expect(left["stagedImageLoaded"] as? Bool == true)
    // Whatever something else loads meanwhile is not what the record describes.
    linux.setLoaded(.normal, true)
    #expect(try linux.status()["loadedByBaton"] as? Bool == false)
    linux.setLoaded(.normal, false)
    linux.slotRefusals = [:]
    #expect(Baton.run(["-u"], system: linux) == .success)
    #expect(try linux.status()["stagedImageLoaded"] as? Bool == false)
    #expect(linux.files[Self.record] == nil)
  }

  @Test(arguments: [true, false])
  func `A dump kernel that comes while the plan is made is left alone`(isAuto: Bool) throws {
    let linux = try FakeLinux.reserving()
    // The plan is shown when everything has been decided.
    linux.onWrite = { if $1.contains("via crashkernel") { $0.setLoaded(.crash, true) } }
    let way = isAuto ? [] : ["--via=crashkernel"]
    #expect(
      Baton.run(Self.load + ["-d"] + way, system: linux) == (isAuto ? .success : .notPermitted))
    #expect(calls(linux).map(\.slot) == (isAuto ? [.normal] : []))
    #expect(linux.complaints.contains("a dump kernel is loaded"))
  }

  @Test func `What is noted of a dump kernel goes when its place is taken`() throws {
    let linux = try FakeLinux.reserving()
    linux.setLoaded(.crash, true)
    linux.files["/run/baton/crash.json"] = Array(
      "{\"bootId\":\"5f2a9d60-0000-4000-8000-000000000001\",\"kernel\":\"/boot/dump\"}".utf8)
    let replacing = Self.load + ["--via=crashkernel", "--replace-crash-kernel"]
    #expect(Baton.run(replacing, system: linux) == .success)
    #expect(linux.files["/run/baton/crash.json"] == nil)
  }

  @Test func `Two commands do not change the slots at the same time`() throws {
    let linux = try FakeLinux.reserving()
    linux.lockFailure = .wouldBlock
    #expect(Baton.run(Self.load, system: linux) == .systemCall)
    #expect(Baton.run(["-u"], system: linux) == .systemCall)
    #expect(linux.effects.isEmpty)
    #expect(linux.complaints.contains("another baton"))
    #expect(linux.slept == 0)
    #expect(Baton.run(Self.load + ["--dry-run"], system: linux) == .success)
    // Without a place for the lock nobody is kept out.
    linux.lockFailure = .readOnlyFileSystem
    #expect(Baton.run(Self.load, system: linux) == .success)
  }

  @Test func `Reservations that touch are two`() throws {
    let linux = try FakeLinux.reserving()
    linux.files["/proc/iomem"] = Array(
      """
      40000000-bfffffff : System RAM
        40210000-415fffff : Kernel code
        41910000-41c9ffff : Kernel data
        9c000000-9fffffff : Crash kernel
        a0000000-a3ffffff : Crash kernel

      """.utf8)
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(calls(linux).first?.slot == .crash)
    #expect(calls(linux)[0].segments.allSatisfy { Self.region.contains(Self.range($0)) })
  }

  @Test func `Where the kernel in the region leaves no room for the initrd, the initrd is there`()
    throws
  {
    let linux = try FakeLinux.reserving(6 << 20)
    linux.files["/proc/iomem"] = Array(
      """
      40000000-402fffff : System RAM
      a0000000-a05fffff : System RAM
        a0000000-a05fffff : Crash kernel

      """.utf8)
    let initrd = (0..<7 << 19).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    linux.files["/boot/initrd"] = initrd
    #expect(
      Baton.run(Self.load + ["--via=crashkernel"], system: linux) == .success,
      "\(linux.complaints)")
    #expect(calls(linux).first?.segments.contains { $0.bytes == initrd } == true)
  }

  @Test func `Without a region, or with too small a one, the right size is told`() throws {
    let none = try FakeLinux.machine()
    #expect(Baton.run(Self.load + ["--via=crashkernel"], system: none) == .unsupported)
    #expect(
      none.complaints.contains(/all of this takes [0-9]+ MiB; boot with crashkernel=16M\n/),
      "\(none.complaints)")
    #expect(none.effects.isEmpty)
    let small = try FakeLinux.reserving(256 << 10)
    #expect(Baton.run(["-l", "/boot/Image", "--via=crashkernel"], system: small) == .noRoom)
    #expect(small.complaints.contains("boot with crashkernel=16M"))
    #expect(small.effects.isEmpty)
    #expect(Baton.run(["-l", "/boot/Image", "-d"], system: small) == .success)
    #expect(small.output.contains("via memory: the crashkernel region has 0 MiB"))
  }

  @Test func `Of two regions the one that the kernel means is used`() throws {
    let linux = try FakeLinux.reserving()
    linux.files["/proc/iomem"]? += Array("  b0000000-b7ffffff : Crash kernel\n".utf8)
    #expect(Baton.run(Self.load, system: linux) == .success)
    #expect(calls(linux)[0].segments.allSatisfy { Self.region.contains(Self.range($0)) })
  }

  private static let sizeFile = "/sys/kernel/kexec_crash_size"

  /// Before Linux 6.5 the size is that of the high one, from then on that of both together.
  @Test(arguments: [64 << 20, 96 << 20])
  func `Of a high and a low reservation the high one is used, whichever size is told`(
    size: UInt64
  ) throws {
    let linux = try FakeLinux.reserving()
    linux.files["/proc/iomem"] = Array(
      """
      40000000-bfffffff : System RAM
        40210000-415fffff : Kernel code
        41910000-41c9ffff : Kernel data
        90000000-91ffffff : Crash kernel
        a0000000-a3ffffff : Crash kernel

      """.utf8)
    linux.files[Self.sizeFile] = Array("\(size)\n".utf8)
    #expect(
      Baton.run(Self.load + ["--via=crashkernel"], system: linux) == .success,
      "\(linux.complaints)")
    #expect(calls(linux)[0].segments.allSatisfy { Self.region.contains(Self.range($0)) })
  }

  /// As kernels do while another program is in a call for a slot.
  @Test func `A size that the kernel is too busy to tell is asked for again`() throws {
    let linux = try FakeLinux.reserving()
    linux.fileFailures[Self.sizeFile] = .busy
    linux.onSleep = { $0.fileFailures = $0.slept >= 500 ? [:] : $0.fileFailures }
    #expect(Baton.run(Self.load, system: linux) == .success, "\(linux.complaints)")
    #expect(calls(linux).map(\.slot) == [.crash, .normal])
    #expect(linux.complaints == "")
  }

  @Test func `A kernel that stays too busy is not taken for one without a region`() throws {
    let linux = try FakeLinux.reserving()
    linux.fileFailures[Self.sizeFile] = .busy
    #expect(Baton.run(Self.load + ["--via=crashkernel"], system: linux) == .systemCall)
    #expect(
      linux.complaints
        == "baton: another program has been loading a kernel for 5 s; try again\n")
    #expect(linux.effects.isEmpty)
    #expect(linux.slept == 5000)
    #expect(Baton.run(Self.load + ["-d"], system: linux) == .success)
    #expect(linux.output.contains("via memory: another program has been loading a kernel for 5 s"))
  }

  @Test func `A kernel that must lie low is moved by the stage, the rest stays`() throws {
    let linux = try FakeLinux.reserving()
    let image = FakeLinux.kernelImage(flags: 0b0010)
    linux.files["/boot/Image"] = image
    #expect(Baton.run(Self.load + ["-d"], system: linux) == .success)
    let calls = calls(linux)
    #expect(calls.map(\.slot) == [.crash, .normal])
    #expect(calls[0].segments.contains { $0.bytes == image })
    #expect(linux.output.contains("via crashkernel: the stage moves what cannot run in place"))
    let line = try #require(linux.output.split(separator: "\n").first { $0.contains(" kernel ") })
    #expect(line.hasSuffix("then moved to 0x000040000000"))
  }

  @Test func `What does not fit beside the rest goes the ordinary way, with a warning`() throws {
    let linux = try FakeLinux.reserving(6 << 20)
    let large = (0..<6 << 20).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    linux.files["/boot/initrd"] = large
    #expect(Baton.run(Self.load + ["--via=crashkernel"], system: linux) == .success)
    #expect(calls(linux)[1].segments.contains { $0.bytes == large })
    #expect(calls(linux)[0].segments.contains { $0.bytes == FakeLinux.kernelImage })
    #expect(linux.complaints.contains("the rest goes the ordinary way"))
  }

  @Test(arguments: [
    ("crashkernel=64M@0xa0000000", true), ("crashkernel=1G-:32M,4G-:64M@2560M", true),
    ("crashkernel=64M@0x80000000", false), ("crashkernel=256M", false),
    ("crashkernel=64M,high crashkernel=32M,low", false), ("crashkernel=x@y", false),
  ])
  func `A next crashkernel= that would lie where the kernel does is noticed`(
    argument: String, collides: Bool
  ) throws {
    let linux = try FakeLinux.reserving()
    let load = ["-l", "/boot/Image", "--append=\(argument) quiet"]
    #expect(Baton.run(load, system: linux) == .success)
    #expect(calls(linux).map(\.slot) == (collides ? [.normal] : [.crash, .normal]))
    linux.setLoaded(.normal, false)
    let before = calls(linux).count
    #expect(Baton.run(load + ["--via=crashkernel"], system: linux) == .success)
    #expect(calls(linux).dropFirst(before).map(\.slot) == [.crash, .normal])
    #expect(linux.complaints.contains("will have no crash region") == collides)
  }

  @Test func `The plan in JSON says which way and why, and where each part waits`() throws {
    let linux = try FakeLinux.reserving()
    #expect(Baton.run(Self.load + ["--dry-run", "--json"], system: linux) == .success)
    #expect(linux.effects.isEmpty)
    let plan = try #require(
      try JSONSerialization.jsonObject(with: Data(linux.output.utf8)) as? [String: Any])
    #expect(plan["via"] as? String == "crashkernel")
    #expect(plan["reason"] as? String == "nothing is left to move")
    let segments = try #require(plan["segments"] as? [[String: Any]])
    func slot(_ name: String) -> String? {
      segments.first { $0["name"] as? String == name }?["slot"] as? String
    }
    #expect(["kernel", "initrd", "dtb", "guard"].allSatisfy { slot($0) == "crash" })
    #expect(["stage", "block", "tables"].allSatisfy { slot($0) == "normal" })
  }

  private struct Call {
    let slot: KexecSlot
    let entry: UInt64
    let segments: [FakeLinux.Segment]
  }

  private func calls(_ linux: FakeLinux) -> [Call] {
    linux.effects.compactMap {
      guard case .kexecLoad(let slot, let entry, let segments) = $0 else { return nil }
      return Call(slot: slot, entry: entry, segments: segments)
    }
  }

  private static func range(_ segment: FakeLinux.Segment) -> PhysicalRange {
    let start = PhysicalAddress(segment.destination)
    return PhysicalRange(start, upTo: start + UInt64(segment.memorySize))
  }
}
