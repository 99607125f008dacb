import CBatonArm64
import KexecRelocation
import LinuxHost
import PhysicalMemory

/// `/run/baton/loaded.json`: what a successful load left in the slots. Valid in the boot that it
/// names, and while the kernel says that the slot holds something.
///
/// A load writes it twice: before it touches a slot, as an intent, so that whatever happens afterwards it
/// is known what may lie in the slots: what did before, and what is to come; and when it is done.
enum LoadRecord {
  static let path = "/run/baton/loaded.json"

  fileprivate static let staging = "staging"
  fileprivate static let staged = "staged"

  /// - Parameters:
  ///   - plan: nil where the kernel made its own.
  ///   - places: what the slots were given.
  static func json<System: LinuxSystem>(
    of plan: HandoffPlan?, at places: LoadedPlaces, by choice: RouteChoice,
    invocation: Invocation, image: String, commandLine: [UInt8]?, _ system: System
  ) -> String {
    // An older load's guard that could not be removed: it is no dump kernel.
    let leavesGuard = choice.route != .crashKernel && hasStagedImage(system)
    return JSONText.object { json in
      json.member("bootId", KernelFlags.bootID(system))
      json.member("state", "loaded")
      json.member("via", choice.route.text)
      json.member("reason", choice.reason)
      json.member("crashSlot", choice.route == .crashKernel || leavesGuard ? staged : nil)
      json.member("normalRanges", places.normal)
      json.member(
        "crashRanges", leavesGuard ? SlotContent.shown(in: .crash, system) : places.crash)
      json.member("planDigest", plan?.digestText)
      json.member("time", system.time)
      json.member("kernel", image)
      json.member("initrd", invocation.initrds.first)
      json.member("initrds", invocation.initrds)
      json.member("dtb", invocation.deviceTree)
      json.member("commandLine", commandLine.map { String(decoding: $0, as: UTF8.self) })
      json.member("verifiedBytes", plan?.verifiedBytes ?? 0)
      json.member(
        "verification",
        plan == nil ? "nothing" : invocation.verifiesEverything ? "everything" : "sample")
      let segments = plan?.segments ?? []
      json.member("segments", objects: segments.count) { json, index in
        json.member("name", String(segments[index].name))
        json.member("address", segments[index].destination.start.text)
        json.member("size", segments[index].size)
      }
    }
  }

  /// Puts an intent in the record's place before what it describes may change, so that whatever ends this
  /// process then, none is left that is wrong.
  ///
  /// - Parameter coming: what the slots are about to get.
  /// - Returns: its content, for `putBack` where nothing was changed.
  static func takeAway<System: LinuxSystem>(
    before coming: LoadedPlaces, _ system: System
  ) -> [UInt8]? {
    let content: [UInt8]?
    do throws(Errno) { content = try system.read(path) } catch { content = nil }
    do throws(Errno) { try writeIntent(of: coming, system) } catch {
      // Where Baton staged something, that remains on record. What cannot be replaced in the end warns.
      if !hasStagedImage(system) { forget(system) }
    }
    return content
  }

  static func putBack<System: LinuxSystem>(_ content: [UInt8]?, _ system: System) {
    guard let content else { return forget(system) }
    // Without it --status knows less, but nothing wrong.
    do throws(Errno) { try system.replace(path, with: content) } catch { return }
  }

  /// Something else of Baton's is in the crash slot now: what was staged there was unloaded before, and
  /// the stage in the normal slot has nothing to start.
  static func forgetStagedImage<System: LinuxSystem>(_ system: System) {
    guard let record = ofThisBoot(system), record.holdsCrashSlot else { return }
    do throws(Errno) {
      let left = record.replacing(
        "\"crashSlot\":\"" + staged + "\"", by: "\"crashSlot\":null")
      try system.replace(path, with: left)
    } catch {
      forget(system)
    }
  }

  /// Nothing of Baton's is loaded any more.
  static func forget<System: LinuxSystem>(_ system: System) {
    do throws(Errno) { try system.remove(path) } catch { return }
  }

  /// Notes that the crash slot is about to get what is no dump kernel.
  ///
  /// - Returns: what was on record before, for `putBack`.
  static func replaceByIntent<System: LinuxSystem>(
    of coming: LoadedPlaces, _ system: System
  ) throws(Errno) -> [UInt8]? {
    var content: [UInt8]?
    do throws(Errno) { content = try system.read(path) } catch {}
    try writeIntent(of: coming, system)
    return content
  }

  private static func writeIntent<System: LinuxSystem>(
    of coming: LoadedPlaces, _ system: System
  ) throws(Errno) {
    let (older, left) = present(system)
    let isStaging = coming.crash != "" || hasStagedImage(system)
    let text = JSONText.object { json in
      json.member("bootId", KernelFlags.bootID(system))
      json.member("state", staging)
      json.member("crashSlot", isStaging ? staged : nil)
      json.member("normalRanges", coming.normal)
      json.member("crashRanges", coming.crash)
      json.member("olderNormalRanges", older.normal)
      json.member("olderCrashRanges", older.crash)
      json.member("leftCrashRanges", left)
    }
    try system.replace(path, with: Array(text.utf8))
  }

  /// What Baton has in the slots now; `left` is what the normal slot's kernel does not need.
  private static func present<System: LinuxSystem>(
    _ system: System
  ) -> (older: LoadedPlaces, left: String?) {
    guard let record = ofThisBoot(system) else { return (.nothing, "") }
    func places(in slot: KexecSlot) -> String? {
      guard slot == .normal || record.holdsCrashSlot, KernelFlags.isLoaded(slot, system),
        record.describes(slot, system) != false
      else { return "" }
      if let shown = SlotContent.shown(in: slot, system) { return shown }
      // Of an intent nobody knows which of the two it is.
      return record.isIntent
        ? nil : record.string(slot == .normal ? "normalRanges" : "crashRanges")
    }
    let (normal, crash) = (places(in: .normal), places(in: .crash))
    let isNeeded =
      record.isIntent ? record.wholeLoad(system).map { $0.crash != "" } ?? true : record.isStaged
    return isNeeded
      ? (LoadedPlaces(normal: normal, crash: crash), "")
      : (LoadedPlaces(normal: normal, crash: ""), crash)
  }

  /// Whether the crash slot holds what `-l` put there.
  static func hasStagedImage<System: LinuxSystem>(_ system: System) -> Bool {
    crashSlot(system).isBatons
  }

  /// Whether the normal slot holds what this boot's Baton has no record of, or another tool has loaded
  /// over that. A load that did not come to its end has a record.
  static func isNextKernelOfOthers<System: LinuxSystem>(_ system: System) -> Bool {
    guard KernelFlags.isLoaded(.normal, system) else { return false }
    guard let record = ofThisBoot(system) else { return true }
    return record.describes(.normal, system) == false
  }

  /// What holds the crash slot.
  enum CrashSlot: Hashable {
    case empty
    /// Something that this boot's Baton did not load.
    case dumpKernel
    /// What is loaded now runs, or comes from, there.
    case stagedImage
    /// Left by a load that did not come to its end, or has no next kernel any more.
    case interrupted

    /// Whether what it holds is what `-l` put there.
    var isBatons: Bool { self == .stagedImage || self == .interrupted }
  }

  /// What holds the crash slot, as far as the kernel and this boot's record tell. Where the kernel does
  /// not show it, what was loaded there behind Baton's back looks like Baton's own.
  static func crashSlot<System: LinuxSystem>(_ system: System) -> CrashSlot {
    guard KernelFlags.isLoaded(.crash, system) else { return .empty }
    guard let record = ofThisBoot(system), record.holdsCrashSlot,
      record.describes(.crash, system) != false
    else { return .dumpKernel }
    let needsIt: Bool
    if record.isIntent {
      needsIt = record.wholeLoad(system).map { $0.crash != "" } ?? false
    } else {
      needsIt =
        record.isStaged && KernelFlags.isLoaded(.normal, system)
        && record.describes(.normal, system) != false
    }
    return needsIt ? .stagedImage : .interrupted
  }

  /// What is known of the normal slot from a load that did not come to its end.
  struct Interrupted {
    /// Whether the slot holds what that load, or the one before it, put there; nil: nothing tells.
    let isBatons: Bool?
    /// Whether what that needs in the crash slot is not there.
    let isTorn: Bool
  }

  /// Nil where no load was interrupted, or nothing is loaded.
  static func interrupted<System: LinuxSystem>(_ system: System) -> Interrupted? {
    guard KernelFlags.isLoaded(.normal, system), let record = ofThisBoot(system), record.isIntent
    else { return nil }
    return Interrupted(
      isBatons: record.describes(.normal, system), isTorn: record.isTorn(system))
  }

  private static func ofThisBoot<System: LinuxSystem>(_ system: System) -> JSONRecord? {
    guard let record = JSONRecord(path: path, system), let boot = KernelFlags.bootID(system),
      record.string("bootId") == boot
    else { return nil }
    return record
  }

  /// The record of what is loaded now, nil where there is none of this boot. What another tool has
  /// loaded since in its place has none of its own: `JSONRecord.describes`.
  static func current<System: LinuxSystem>(_ system: System) -> JSONRecord? {
    guard KernelFlags.isLoaded(.normal, system), let record = ofThisBoot(system),
      !record.isIntent
    else { return nil }
    return record
  }
}

extension JSONRecord {
  /// Of a load record: whether what it describes needs the crash slot.
  var isStaged: Bool { string("via") == LoadRoute.crashKernel.text }

  /// Of a load record: whether it was written before a load, of which no other tells.
  var isIntent: Bool { string("state") == LoadRecord.staging }

  /// Of a load record: whether the crash slot, where it is loaded, holds what `-l` put there.
  var holdsCrashSlot: Bool { string("crashSlot") == LoadRecord.staged }
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
