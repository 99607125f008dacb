import LinuxHost

/// `--last`: whether the last handoff arrived here, and where the time between the kernels went.
enum LastReport {
  private struct Phase {
    let key: StaticString
    let label: StaticString
    let microseconds: UInt64?
  }

  static func run<System: LinuxSystem>(_ system: System, json: Bool) -> ExitStatus {
    let start = JSONRecord(path: StartRecord.path, system)
    let record = HandoffRecord(system)
    let expected = start?.number("planDigest")
    let arrived: Bool
    if let record {
      arrived = expected == nil || expected == record.planDigest
    } else {
      arrived = false
    }
    // The counter runs on through the handoff; only that of the same handoff is comparable.
    let phases =
      record.map {
        arrived ? Self.phases(of: $0, started: start?.number("counter")) : []
      } ?? []
    system.write(
      json
        ? self.json(arrived, expected, record, phases) : text(arrived, expected, record, phases),
      to: .standardOutput)
    return arrived ? .success : .negative
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

  private static func text(
    _ arrived: Bool, _ expected: UInt64?, _ record: HandoffRecord?, _ phases: [Phase]
  ) -> String {
    guard let record, arrived else {
      guard let expected else { return "no handoff is on record here\n" }
      return "did not arrive: this kernel was not started by plan "
        + JSONText.hexadecimal(expected) + ", which baton -e was about to start\n"
    }
    var text = "arrived: plan " + JSONText.hexadecimal(record.planDigest) + "\n"
    for phase in phases {
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

  private static func json(
    _ arrived: Bool, _ expected: UInt64?, _ record: HandoffRecord?, _ phases: [Phase]
  ) -> String {
    JSONText.object { json in
      json.member("arrived", arrived)
      json.member("expectedPlan", expected.map { JSONText.hexadecimal($0) })
      json.member("plan", record.map { JSONText.hexadecimal($0.planDigest) })
      json.member(
        "microseconds",
        object: { json in
          for phase in phases { json.member(phase.key, phase.microseconds) }
        })
      json.member("bytesMoved", record?.bytesMoved)
      json.member("bytesVerified", record?.bytesVerified)
    }
  }
}
