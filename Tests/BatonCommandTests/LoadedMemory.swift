import ArmTranslation
import KexecRelocation
import LinuxHost
import PhysicalMemory
import Testing

@testable import BatonCommand

/// The machine's memory as the kernel leaves it to the stage: the segments of the one load that a
/// fake Linux has seen.
struct LoadedMemory {
  struct NotLoaded: Error {
    let effects: Int
  }

  let entry: UInt64
  let segments: [FakeLinux.Segment]
  let stage: StageImage

  init(_ linux: FakeLinux, slot: KexecSlot = .normal) throws {
    guard linux.effects.count == 1,
      case .kexecLoad(slot, let entry, let segments) = linux.effects[0]
    else { throw NotLoaded(effects: linux.effects.count) }
    self.entry = entry
    self.segments = segments
    stage = try StageImage.embedded()
  }

  /// What lies at `address`, zero where nothing was loaded.
  func bytes(at address: UInt64, count: Int) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    for segment in segments {
      let first = max(address, segment.destination)
      let end = min(
        address + UInt64(count), segment.destination + UInt64(segment.bytes.count))
      guard first < end else { continue }
      let source = Int(first - segment.destination)..<Int(end - segment.destination)
      result.replaceSubrange(
        Int(first - address)..<Int(end - address), with: segment.bytes[source])
    }
    return result
  }

  func words(at address: UInt64, count: Int) -> [UInt64] {
    let bytes = bytes(at: address, count: 8 * count)
    return (0..<count).map { index in
      (0..<8).reduce(0) { $0 | UInt64(bytes[8 * index + $1]) << UInt64(8 * $1) }
    }
  }

  var code: [UInt64] {
    words(at: entry + stage.code.offset, count: stage.code.words.count)
  }

  var constants: [UInt64] {
    words(at: entry + stage.constants.offset, count: stage.constants.words.count)
  }

  /// Calls `body` with the handoff block that the stage will find.
  func withBlock<Result>(_ body: (HandoffBlockView) throws -> Result) throws -> Result {
    let address = entry + stage.blockOffset
    let words = words(at: address, count: Int(HandoffBlockView.maximumSize) / 8)
    return try unsafe words.withUnsafeBytes { memory in
      // Sound: the array is as long as the largest block and lives for the closure.
      let base = unsafe try #require(memory.baseAddress)
      return try body(
        unsafe HandoffBlockView(at: base, address: PhysicalAddress(address)))
    }
  }
}

extension LoadedMemory: TableMemory {
  func word(at address: PhysicalAddress) -> UInt64? {
    let isLoaded = segments.contains {
      address.rawValue >= $0.destination
        && address.rawValue + 8 <= $0.destination + UInt64($0.bytes.count)
    }
    return isLoaded ? words(at: address.rawValue, count: 1)[0] : nil
  }
}
