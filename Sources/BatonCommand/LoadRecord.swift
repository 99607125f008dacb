import CBatonArm64
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// `/run/baton/loaded.json` and `/run/baton/crash.json`: what a successful load left in the slot.
/// Valid in the boot that it names, and while the kernel says that the slot holds something.
enum LoadRecord {
  static func path(_ slot: KexecSlot) -> String {
    switch slot {
    case .normal: "/run/baton/loaded.json"
    case .crash: "/run/baton/crash.json"
    }
  }

  /// - Parameter digest: of the plan; nil for one without a stage, which has none.
  static func json<System: LinuxSystem>(
    of segments: [HandoffPlan.Segment], digest: String?, verifiedBytes: UInt64,
    invocation: Invocation, image: String, commandLine: [UInt8]?, _ system: System
  ) -> String {
    JSONText.object { json in
      json.member("bootId", KernelFlags.bootID(system))
      json.member("planDigest", digest)
      json.member("time", system.time)
      json.member("kernel", image)
      json.member("initrd", invocation.initrds.first)
      json.member("initrds", invocation.initrds)
      json.member("dtb", invocation.deviceTree)
      json.member("commandLine", commandLine.map { String(decoding: $0, as: UTF8.self) })
      json.member("verifiedBytes", verifiedBytes)
      json.member(
        "verification",
        verifiedBytes == 0 ? "nothing" : invocation.verifiesEverything ? "everything" : "sample")
      json.member("segments", objects: segments.count) { json, index in
        json.member("name", String(segments[index].name))
        json.member("address", segments[index].destination.start.text)
        json.member("size", segments[index].size)
      }
    }
  }

  /// Takes the record away before what it describes may change, so that whatever ends this process
  /// then, none is left that is wrong.
  ///
  /// - Returns: its content, for `putBack` where nothing was changed.
  static func takeAway<System: LinuxSystem>(_ slot: KexecSlot, _ system: System) -> [UInt8]? {
    let path = path(slot)
    let content: [UInt8]?
    do throws(Errno) { content = try system.read(path) } catch { content = nil }
    // One that cannot be removed cannot be replaced either; that warns.
    do throws(Errno) { try system.remove(path) } catch { return content }
    return content
  }

  static func putBack<System: LinuxSystem>(
    _ content: [UInt8]?, _ slot: KexecSlot, _ system: System
  ) {
    guard let content else { return }
    // Without it --status knows less, but nothing wrong.
    do throws(Errno) { try system.replace(path(slot), with: content) } catch { return }
  }

  /// The record of what is loaded now, nil where something else loaded it.
  static func current<System: LinuxSystem>(
    _ system: System, slot: KexecSlot = .normal
  ) -> JSONRecord? {
    guard KernelFlags.isLoaded(slot, system),
      let record = JSONRecord(path: path(slot), system), let boot = KernelFlags.bootID(system),
      record.string("bootId") == boot
    else { return nil }
    return record
  }
}

extension HandoffPlan {
  /// The handoff block's checksum, by which the stage names the plan in its record.
  var digest: UInt64 {
    for segment in segments where segment.destination.start == layout.blockAddress {
      if case .words(let words) = segment.content {
        return words[Int(BATON_BLOCK_CHECKSUM_OFFSET) / MemoryLayout<UInt64>.size]
      }
    }
    preconditionFailure("every plan has a block")
  }

  var digestText: String { JSONText.hexadecimal(digest) }
}
