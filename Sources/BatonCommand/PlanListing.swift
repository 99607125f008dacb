import KexecRelocation
import LinuxHost
import PhysicalMemory

/// The plan as people read it: what lies where, how it is entered, what is verified.
enum PlanListing {
  static func text(of plan: HandoffPlan, machine: Machine) -> String {
    var text = text(of: plan.segments)
    text += "  verified  " + String(plan.verifiedBytes) + " bytes in " + String(plan.pieces.count)
    text += " pieces"
    let processors = plan.layout.processors.count
    if processors > 1 { text += ", by up to " + String(processors) + " CPUs" }
    text += "\n"
    text += "  entry " + plan.entry.text + " at " + machine.level.text
    text += ", " + String(plan.layout.tableMemory.size / machine.granule.pageSize)
    text += " pages of translation tables, console "
    text += machine.lifeline.console.text
    text += ", PSCI by "
    text += machine.lifeline.conduit.text
    return text + "\n"
  }

  /// Of a plan without a stage: nothing is verified, and nothing in between can report.
  static func text(of plan: DirectPlan, machine: Machine) -> String {
    text(of: plan.segments) + "  entry " + plan.entry.text + " at " + machine.level.text
      + ", without a stage: nothing is verified\n"
  }

  private static func text(of segments: [HandoffPlan.Segment]) -> String {
    var text = ""
    for segment in segments {
      text += "  " + pad(String(segment.name), to: 10)
      text += pad(segment.destination.start.text, to: 20)
      text += String(segment.size) + " bytes\n"
    }
    return text
  }

  static func json(of plan: DirectPlan, machine: Machine) -> String {
    JSONText.object { json in
      members(of: plan.segments, &json)
      json.member("verifiedBytes", 0 as UInt64)
      json.member("pieces", 0 as UInt64)
      json.member("entry", plan.entry.text)
      json.member("level", machine.level == .unknown ? nil : machine.level.text)
    }
  }

  private static func members(of segments: [HandoffPlan.Segment], _ json: inout JSONText) {
    json.member("segments", objects: segments.count) { json, index in
      let segment = segments[index]
      json.member("name", String(segment.name))
      json.member("address", segment.destination.start.text)
      json.member("size", segment.size)
      json.member("memorySize", segment.destination.size)
    }
  }

  static func json(of plan: HandoffPlan, machine: Machine) -> String {
    JSONText.object { json in
      members(of: plan.segments, &json)
      json.member("verifiedBytes", plan.verifiedBytes)
      json.member("pieces", UInt64(plan.pieces.count))
      json.member("cpus", UInt64(max(1, plan.layout.processors.count)))
      json.member("entry", plan.entry.text)
      json.member("level", machine.level == .unknown ? nil : machine.level.text)
      json.member(
        "console", machine.lifeline.console == .none ? nil : machine.lifeline.console.text)
      json.member("psci", machine.lifeline.conduit == .none ? nil : machine.lifeline.conduit.text)
    }
  }

  private static func pad(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.utf8.count))
  }
}

extension HandoffPlan {
  /// How much the stage will verify.
  var verifiedBytes: UInt64 {
    var sum: UInt64 = 0
    for piece in pieces { sum += piece.range.size }
    return sum
  }
}
