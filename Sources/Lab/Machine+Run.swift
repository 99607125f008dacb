import Subprocess
import Synchronization

/// How a guest's run ended.
public enum GuestEnd: Sendable, Equatable {
  /// The guest asked for a reset. The lab's machines then end.
  case reset
  /// The machine's watchdog reset it.
  case watchdog
  /// The guest asked to be switched off.
  case poweredOff
  /// The lab's own doing: the person or test that watched had seen enough.
  case ended
  /// The time limit passed.
  case timeLimit
}

/// What a guest wrote, and how it ended.
public struct GuestRun: Sendable {
  /// The console's lines, without their ends.
  public var lines: [String]
  public var end: GuestEnd
  public var duration: Duration

  /// The end of the console, for an error message.
  public var lastLines: [String] { lines.suffix(12).map { String($0) } }

  /// The error that says what the guest did wrong.
  public func failure(_ what: String) -> LabError {
    switch end {
    case .timeLimit: .guest(what + " (ended at its time limit)", lastLines: lastLines)
    case .reset: .guest(what + " (it reset)", lastLines: lastLines)
    case .watchdog: .guest(what + " (its watchdog reset it)", lastLines: lastLines)
    case .poweredOff: .guest(what + " (it switched itself off)", lastLines: lastLines)
    case .ended: .guest(what, lastLines: lastLines)
    }
  }
}

/// A running guest, for the one who reads its console.
public struct Guest: Sendable {
  let type: @Sendable (String) async throws -> Void
  let terminate: @Sendable () async -> Void

  /// Types `text` on the guest's console.
  public func send(_ text: String) async throws { try await type(text) }

  /// Ends the guest; its run then ends with `.ended`.
  public func end() async { await terminate() }
}

/// Why the lab itself ended a guest; the first reason stays.
private final class Ending: Sendable {
  enum Reason {
    case seenEnough
    case timeLimit
    case failure(any Error)
  }

  private let state = Mutex<Reason?>(nil)

  var reason: Reason? { state.withLock { $0 } }

  func set(_ reason: Reason) {
    state.withLock { if $0 == nil { $0 = reason } }
  }
}

extension Machine {
  /// Runs the machine until its guest resets, switches itself off or reaches the time limit.
  ///
  /// - Parameters:
  ///   - debugger: runs beside the guest; a place for work over `debugSocket`.
  ///   - line: called with each line of the console as it is completed.
  /// - Throws: `LabError` where QEMU fails, and whatever the closures throw: the guest is then
  ///   ended.
  public func run(
    debugger: (@Sendable () async throws -> Void)? = nil,
    line: @escaping @Sendable (String, Guest) async throws -> Void = { _, _ in }
  ) async throws -> GuestRun {
    let arguments = self
    let limit = timeLimit
    let started = ContinuousClock.now
    return try await HostFile.withTemporaryDirectory { directory in
      let control = directory + "/control"
      try HostFile.write(Array("{\"execute\":\"qmp_capabilities\"}\n".utf8), to: control + ".in")
      let outcome = try await Subprocess.run(
        .name("qemu-system-aarch64"), arguments: Arguments(arguments.arguments(control: control)),
        input: .inputWriter, output: .sequence, error: .string(limit: 1 << 16)
      ) { execution in
        let ending = Ending()
        let stop: @Sendable () async -> Void = {
          await execution.teardown(using: [
            .gracefulShutDown(allowedDurationToNextStep: .seconds(60))
          ])
        }
        let guest = Guest(
          type: { _ = try await execution.standardInputWriter.write($0) },
          terminate: {
            ending.set(.seenEnough)
            await stop()
          })
        let lines = await withTaskGroup(of: [String]?.self) { group in
          group.addTask {
            var assembly = LineAssembly()
            do {
              for try await buffer in execution.standardOutput {
                for text in assembly.append(buffer.bytes) { try await line(text, guest) }
              }
              for text in assembly.finish() { try await line(text, guest) }
            } catch {
              ending.set(.failure(error))
              await stop()
            }
            return assembly.lines
          }
          group.addTask {
            try? await Task.sleep(for: limit)
            guard !Task.isCancelled else { return nil }
            ending.set(.timeLimit)
            await stop()
            return nil
          }
          if let debugger {
            group.addTask {
              do {
                try await debugger()
              } catch {
                ending.set(.failure(error))
                await stop()
              }
              return nil
            }
          }
          var lines: [String]?
          while lines == nil, let finished = await group.next() { lines = finished }
          group.cancelAll()
          return lines ?? []
        }
        return (lines, ending.reason)
      }
      let (lines, reason) = outcome.closureResult
      let events = (try? HostFile.text(of: control + ".out")) ?? ""
      let asked: GuestEnd? =
        if events.contains("\"WATCHDOG\"") {
          .watchdog
        } else if events.contains("\"guest-reset\"") {
          .reset
        } else {
          events.contains("\"guest-shutdown\"") ? .poweredOff : nil
        }
      let end: GuestEnd
      switch (asked, reason) {
      // What the guest does behind the line that was enough depends on how soon the lab reads that.
      case (_, .seenEnough): end = .ended
      // What the guest did explains a debugger's broken connection, not the other way round.
      case (let asked?, _): end = asked
      case (nil, .timeLimit): end = .timeLimit
      case (nil, .failure(let error)) where outcome.terminationStatus.isSuccess: throw error
      case (nil, .failure), (nil, nil):
        throw LabError.programFailed(
          name: "qemu-system-aarch64", status: outcome.terminationStatus.description,
          message: outcome.standardError)
      }
      return GuestRun(lines: lines, end: end, duration: ContinuousClock.now - started)
    }
  }
}
