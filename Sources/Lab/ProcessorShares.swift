import Foundation
import Glibc
import PhysicalMemory
import Synchronization

/// How many of the stage's instructions each CPU executed, waiting included.
public struct ProcessorShares: Sendable {
  /// By CPU.
  public let instructions: [Int: UInt64]

  public var total: UInt64 { instructions.values.reduce(0, +) }

  /// The largest part of the total that one CPU had, from 0 to 1.
  public var largest: Double {
    total == 0 ? 1 : Double(instructions.values.max() ?? 0) / Double(total)
  }
}

extension StageSnapshot {
  /// Lets the guest go on to the next kernel's first line, with all CPUs in one thread of QEMU's,
  /// where a CPU that waits yields, and counts.
  ///
  /// - Returns: the shares, and the run.
  public func runCountingShares(
    timeLimit: Duration = .seconds(1800)
  ) async throws -> (shares: ProcessorShares, run: GuestRun) {
    guard let stage = listing.ranges[.stage] else {
      throw LabError.malformed(what: "the plan: no stage in it", line: "")
    }
    return try await HostFile.withTemporaryDirectory { directory in
      let path = directory + "/blocks"
      // Sound: a string is lent as a C string for the call; strerror's text is copied at once.
      guard unsafe mkfifo(path, 0o600) == 0 else {
        let reason = unsafe String(cString: strerror(errno))
        throw LabError.system(operation: "create", path: path, reason: reason)
      }
      async let log = BlockLog.read(path)
      let run: GuestRun
      do {
        run = try await self.run(
          until: "Booting Linux", timeLimit: timeLimit,
          adapting: {
            $0.isSingleThreaded = true
            $0.blockLog = (stage, path)
          }, changing: { _ in })
      } catch {
        BlockLog.release(path)
        _ = await log
        throw error
      }
      BlockLog.release(path)
      let read = await log
      guard read.unknown == 0, !read.instructions.isEmpty else {
        throw run.failure("\(read.unknown) blocks were executed whose instructions are not known")
      }
      return (ProcessorShares(instructions: read.instructions), run)
    }
  }
}

/// QEMU's log of `-d exec,in_asm,nochain`, read as it is written: each block is listed when it is
/// translated, an instruction a line that begins with its address, and named each time when it is
/// executed, with its CPU:
///
///     IN:
///     0x75bc0000:  14000024  b        #0x75bc0090
///
///     Trace 0: 0x7f1c2c000640 [00000000/0000000075bc0000/…]
struct BlockLog: Sendable {
  /// By CPU.
  var instructions: [Int: UInt64] = [:]
  /// Blocks that were executed and never listed.
  var unknown = 0

  /// The instructions of each block, by the name that its executions have.
  private var sizes: [UInt64: UInt64] = [:]
  /// The instructions of the block that was listed last, and is not yet known by its name.
  private var listed: UInt64 = 0

  /// Reads the pipe at `path` until its writer is gone, on a thread of its own.
  static func read(_ path: String) async -> BlockLog {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var log = BlockLog()
        // Sound: the stream is used by this thread alone, and its lines before the next is read.
        if let stream = unsafe fopen(path, "r") {
          var line: UnsafeMutablePointer<CChar>?
          var capacity = 0
          while unsafe getline(&line, &capacity, stream) > 0, let text = unsafe line {
            unsafe log.read(text)
          }
          unsafe free(line)
          unsafe fclose(stream)
        }
        continuation.resume(returning: log)
      }
    }
  }

  /// Lets a reader go on that still waits for a writer.
  static func release(_ path: String) {
    // Sound: a string is lent as a C string for the call.
    let writer = unsafe open(path, O_WRONLY | O_NONBLOCK)
    if writer >= 0 { close(writer) }
  }

  /// A line, as a C string.
  private mutating func read(_ line: UnsafePointer<CChar>) {
    // Sound: nothing behind the string's end is looked at.
    if unsafe strncmp(line, "0x", 2) == 0 { return listed += 1 }
    if unsafe strncmp(line, "IN:", 3) == 0 { return listed = 0 }
    guard unsafe strncmp(line, "Trace ", 6) == 0 else { return }
    var end: UnsafeMutablePointer<CChar>?
    let processor = unsafe strtol(line + 6, &end, 10)
    guard let colon = unsafe end, unsafe strncmp(colon, ": ", 2) == 0 else { return }
    let block = unsafe UInt64(strtoull(colon + 1, nil, 16))
    if listed > 0 {
      sizes[block] = listed
      listed = 0
    }
    guard let size = sizes[block] else { return unknown += 1 }
    instructions[processor, default: 0] += size
  }
}
