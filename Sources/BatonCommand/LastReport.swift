import LinuxHost

/// `--last`: whether the last handoff arrived here, and where the time between the kernels went.
enum LastReport {
  private struct Phase {
    let key: StaticString
    let label: StaticString
    let microseconds: UInt64?
  }

  static func run<System: LinuxSystem>(_ invocation: Invocation, _ system: System) -> ExitStatus {
    let start = JSONRecord(path: StartRecord.path, system)
    let record = HandoffRecord(system)
    let expected = start?.number("planDigest")
    // An outcome of nothing tells nothing.
    let told =
      expected == nil
      ? nil : start?.string("outcome").flatMap { StartRecord.Outcome(rawValue: $0) }
    let isExpected = record.map { expected == $0.planDigest } ?? false
    // What started this kernel is its own to tell, unless -e noted another and nobody has told yet
    // what became of that.
    let arrivedHere = record != nil && (isExpected || expected == nil || told != nil)
    let arrived = arrivedHere || told == .arrived
    if let start, expected != nil, told == nil || (isExpected && told != .arrived) {
      do throws(Errno) {
        try StartRecord.note(arrived ? .arrived : .didNotArrive, of: start, system)
      } catch {
        // Who may not write may still ask.
        if system.isRoot {
          invocation.caller.warn(
            StartRecord.path + ": " + error.text + ": later boots will not know of this", system)
        }
      }
    }
    let answer = Answer(
      arrived: arrived, isEarlier: arrived && !arrivedHere, expected: expected,
      record: arrivedHere || !arrived ? record : nil,
      // The counter runs on through the handoff; only that of the same handoff is comparable.
      phases: arrivedHere
        ? record.map {
          phases(of: $0, started: isExpected ? start?.number("counter") : nil)
        } ?? [] : [])
    system.write(invocation.answersInJSON ? json(answer) : text(answer), to: .standardOutput)
    return arrived ? .success : .negative
  }

  private struct Answer {
    let arrived: Bool
    /// In a boot before this one.
    let isEarlier: Bool
    /// The plan that `-e` noted.
    let expected: UInt64?
    let record: HandoffRecord?
    let phases: [Phase]
  }

  private static func phases(of record: HandoffRecord, started: UInt64?) -> [Phase] {
    [
      Phase(
        key: "shutdown", label: "old kernel's shutdown",
        microseconds: record.microseconds(from: started, to: record.entered)),
      Phase(
        key: "translation", label: "stage: caches on",
        microseconds: record.microseconds(from: record.entered, to: record.translationOn)),
      Phase(
        key: "move", label: "stage: move",
        microseconds: record.microseconds(from: record.translationOn, to: record.moved)),
      Phase(
        key: "verify", label: "stage: verify",
        microseconds: record.microseconds(from: record.moved, to: record.verified)),
      Phase(
        key: "leave", label: "stage: leave",
        microseconds: record.microseconds(from: record.verified, to: record.left)),
    ]
  }

  private static func text(_ answer: Answer) -> String {
    if answer.isEarlier, let expected = answer.expected {
      return "arrived: plan " + JSONText.hexadecimal(expected)
        + ", in a boot before this one; nothing newer is on record\n"
    }
    guard let record = answer.record, answer.arrived else {
      guard let expected = answer.expected else { return "no handoff is on record here\n" }
      return "did not arrive: this kernel was not started by plan "
        + JSONText.hexadecimal(expected) + ", which baton -e was about to start\n"
    }
    var text = "arrived: plan " + JSONText.hexadecimal(record.planDigest) + "\n"
    for phase in answer.phases {
      var line = "  " + String(phase.label)
      line += String(repeating: " ", count: max(1, 26 - line.utf8.count))
      if let microseconds = phase.microseconds {
        let fraction = String(microseconds % 1000)
        line += String(microseconds / 1000) + "."
        line += String(repeating: "0", count: 3 - fraction.utf8.count) + fraction + " ms"
      } else {
        line += "unknown"
      }
      text += line + "\n"
    }
    return text + "  moved " + String(record.bytesMoved) + " bytes, verified "
      + String(record.bytesVerified) + " bytes\n"
  }

  private static func json(_ answer: Answer) -> String {
    let record = answer.record
    return JSONText.object { json in
      json.member("arrived", answer.arrived)
      json.member("earlierBoot", answer.isEarlier)
      json.member("expectedPlan", answer.expected.map { JSONText.hexadecimal($0) })
      json.member("plan", record.map { JSONText.hexadecimal($0.planDigest) })
      json.member(
        "microseconds",
        object: { json in
          for phase in answer.phases { json.member(phase.key, phase.microseconds) }
        })
      json.member("bytesMoved", record?.bytesMoved)
      json.member("bytesVerified", record?.bytesVerified)
    }
  }
}
