import KexecRelocation
import LinuxHost
import PhysicalMemory

/// The plan as people read it: what lies where, how it is entered, what is verified.
enum PlanListing {
  static func text(of plan: HandoffPlan, _ choice: RouteChoice, machine: Machine) -> String {
    var text = choice.text
    for segment in plan.segments {
      text += "  " + pad(String(segment.name), to: 10)
      text += pad(segment.destination.start.text, to: 20)
      text += String(segment.size) + " bytes"
      if let final = segment.final {
        text += ", then moved to " + final.text
      } else if segment.slot == .crash {
        text += ", in place"
      }
      text += "\n"
    }
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

  /// Of a crash kernel's plan; the plan is nil without a stage.
  static func text(
    of segments: [HandoffPlan.Segment], _ plan: HandoffPlan?, entry: PhysicalAddress,
    machine: Machine
  ) -> String {
    var text = ""
    for segment in segments {
      text += "  " + pad(String(segment.name), to: 10)
      text += pad(segment.destination.start.text, to: 20)
      text += String(segment.size) + " bytes\n"
    }
    if let plan {
      text += "  verified  " + String(plan.verifiedBytes) + " bytes in "
      text += String(plan.pieces.count) + " pieces\n"
    }
    text += "  entry " + entry.text + " at " + machine.level.text
    guard plan != nil else { return text + ", without a stage: nothing is verified\n" }
    return text + ", console " + machine.lifeline.console.text + ", PSCI by "
      + machine.lifeline.conduit.text + "\n"
  }

  static func json(
    of segments: [HandoffPlan.Segment], _ plan: HandoffPlan?, entry: PhysicalAddress,
    machine: Machine
  ) -> String {
    JSONText.object { json in
      json.member("via", nil as String?)
      json.member("reason", nil as String?)
      json.member("segments", objects: segments.count) { json, index in
        let segment = segments[index]
        json.member("name", String(segment.name))
        json.member("address", segment.destination.start.text)
        json.member("size", segment.size)
        json.member("memorySize", segment.destination.size)
        json.member("slot", "crash")
        json.member("movedTo", nil as String?)
      }
      json.member("verifiedBytes", plan?.verifiedBytes ?? 0)
      json.member("pieces", UInt64(plan?.pieces.count ?? 0))
      json.member("cpus", 1 as UInt64)
      json.member("entry", entry.text)
      json.member("level", machine.level == .unknown ? nil : machine.level.text)
      let lifeline = plan == nil ? nil : machine.lifeline
      json.member("console", lifeline.flatMap { $0.console == .none ? nil : $0.console.text })
      json.member("psci", lifeline.flatMap { $0.conduit == .none ? nil : $0.conduit.text })
    }
  }

  static func json(of plan: HandoffPlan, _ choice: RouteChoice, machine: Machine) -> String {
    JSONText.object { json in
      json.member("via", choice.route.text)
      json.member("reason", choice.reason)
      json.member("segments", objects: plan.segments.count) { json, index in
        let segment = plan.segments[index]
        json.member("name", String(segment.name))
        json.member("address", segment.destination.start.text)
        json.member("size", segment.size)
        json.member("memorySize", segment.destination.size)
        json.member("slot", segment.slot == .crash ? "crash" : "normal")
        json.member("movedTo", segment.final?.text)
      }
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

  /// Of a load that the kernel plans by itself.
  static func text(of choice: RouteChoice) -> String {
    choice.text + "  verified  nothing\n"
  }

  static func json(of choice: RouteChoice) -> String {
    JSONText.object { json in
      json.member("via", choice.route.text)
      json.member("reason", choice.reason)
      json.member("segments", objects: 0) { _, _ in }
      json.member("verifiedBytes", 0 as UInt64)
      json.member("pieces", 0 as UInt64)
      json.member("cpus", nil as UInt64?)
      for key in ["entry", "level", "console", "psci"] as [StaticString] {
        json.member(key, nil as String?)
      }
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
