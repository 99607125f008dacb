import KexecRelocation
import LinuxHost
import PhysicalMemory

/// `/run/baton/crash.json`: what a successful `--load-panic` left in the crash slot. Valid in the boot
/// that it names, and while the kernel says that the slot holds something.
enum CrashRecord {
  static let path = "/run/baton/crash.json"

  /// - Parameters:
  ///   - segments: none where the kernel made its own.
  ///   - places: what the slot was given, nil where nothing tells.
  ///   - digest: of the plan; nil for one without a stage, which has none.
  static func json<System: LinuxSystem>(
    of segments: [HandoffPlan.Segment], at places: String?, digest: String?, verifiedBytes: UInt64,
    invocation: Invocation, image: String, commandLine: [UInt8]?, _ system: System
  ) -> String {
    JSONText.object { json in
      json.member("bootId", KernelFlags.bootID(system))
      json.member("planDigest", digest)
      json.member("time", system.time)
      json.member("kernel", image)
      json.member("initrds", invocation.initrds)
      json.member("dtb", invocation.deviceTree)
      json.member("commandLine", commandLine.map { String(decoding: $0, as: UTF8.self) })
      json.member("verifiedBytes", verifiedBytes)
      json.member("verification", digest == nil ? "nothing" : "everything")
      json.member("crashRanges", places)
      json.member("segments", objects: segments.count) { json, index in
        json.member("name", String(segments[index].name))
        json.member("address", segments[index].destination.start.text)
        json.member("size", segments[index].size)
      }
    }
  }

  /// The record of the crash kernel that is loaded now, nil where something else loaded it.
  static func current<System: LinuxSystem>(_ system: System) -> JSONRecord? {
    guard KernelFlags.isLoaded(.crash, system), let record = JSONRecord(path: path, system),
      let boot = KernelFlags.bootID(system), record.string("bootId") == boot,
      record.describes(.crash, system) != false
    else { return nil }
    return record
  }

  static func text(of record: JSONRecord) -> String {
    "loaded: " + (record.string("kernel") ?? "a kernel") + " (verifies "
      + (record.string("verification") ?? "nothing known") + "): a panic starts it"
  }

  /// What was in the crash slot, and known of it, before a load that may be refused.
  struct Before {
    fileprivate let content: [UInt8]?
    fileprivate let wasLoaded: Bool

    /// After a refusal.
    ///
    /// - Returns: what that has left.
    func putBack<System: LinuxSystem>(_ system: System) -> BatonError.CrashSlotLeft {
      guard KernelFlags.isLoaded(.crash, system) else { return wasLoaded ? .dropped : .empty }
      // Without it --status knows less, but nothing wrong.
      if let content {
        do throws(Errno) { try system.replace(CrashRecord.path, with: content) } catch {}
      }
      return .kept
    }
  }

  /// Takes the record away before what it describes may change, so that whatever ends this process
  /// then, none is left that is wrong.
  static func takeAway<System: LinuxSystem>(_ system: System) -> Before {
    let content: [UInt8]?
    do throws(Errno) { content = try system.read(path) } catch { content = nil }
    forget(system)
    return Before(content: content, wasLoaded: KernelFlags.isLoaded(.crash, system))
  }

  static func forget<System: LinuxSystem>(_ system: System) {
    do throws(Errno) { try system.remove(path) } catch { return }
  }

  /// Whoever replaces what is staged leaves a stage without what it starts.
  static func requireNothingStaged<System: LinuxSystem>(_ system: System) throws(BatonError) {
    if LoadRecord.hasStagedImage(system) { throw .crashSlotIsStaged }
  }
}
