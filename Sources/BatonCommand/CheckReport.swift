import KexecRelocation
import LinuxHost
import PhysicalMemory

/// A survey as people and as programs read it.
enum CheckReport {
  static func text(of survey: HostSurvey) -> String {
    var text = ""
    func line(_ label: StaticString, _ value: String) {
      var label = String(label)
      label += String(repeating: " ", count: max(1, 14 - label.utf8.count))
      text += label + value + "\n"
    }
    line("kernel", survey.release ?? "unknown")
    line("level", survey.level.text)
    line("page size", String(survey.pageSize) + " bytes")
    line(
      "CPUs online",
      (survey.onlineCPUs.map { String($0) } ?? "unknown")
        + (survey.hasSHA256Instructions ? ", with SHA-256 instructions" : ""))
    line("console", survey.lifeline.console.text)
    line("PSCI", "by " + survey.lifeline.conduit.text)
    line("lockdown", survey.lockdown ?? "not built in")
    line(
      "loading",
      survey.isLoadDisabled
        ? "switched off (kernel.kexec_load_disabled)"
        : "allowed"
          + (survey.loadsLeft.map {
            ", " + String($0)
              + " more in this boot, unloading included (kernel.kexec_load_limit_reboot)"
          } ?? ""))
    var regions: [String] = []
    for range in survey.crashKernel { regions.append(range.text) }
    line("crashkernel", regions.isEmpty ? "none" : joined(regions))
    for warning in survey.warnings { text += "warning: " + warning + "\n" }
    for obstacle in survey.obstacles { text += "obstacle: " + obstacle.sentence + "\n" }
    text += survey.obstacles.isEmpty ? "baton works here\n" : "baton does not work here\n"
    return text
  }

  static func json(of survey: HostSurvey) -> String {
    JSONText.object { json in
      json.member("works", survey.obstacles.isEmpty)
      json.member("obstacles", survey.obstacles.map { $0.sentence })
      json.member("warnings", survey.warnings)
      json.member("kernel", survey.release)
      json.member("level", survey.level == .unknown ? nil : survey.level.text)
      json.member("pageSize", survey.pageSize)
      json.member("cpusOnline", survey.onlineCPUs.map { UInt64($0) })
      json.member("sha256Instructions", survey.hasSHA256Instructions)
      json.member("console", survey.lifeline.console == .none ? nil : survey.lifeline.console.text)
      json.member("psci", survey.lifeline.conduit == .none ? nil : survey.lifeline.conduit.text)
      json.member("lockdown", survey.lockdown)
      json.member("loadDisabled", survey.isLoadDisabled)
      json.member("loadsLeft", survey.loadsLeft)
      let regions = survey.crashKernel
      json.member("crashKernel", objects: regions.count) { json, index in
        json.member("address", regions[index].start.text)
        json.member("size", regions[index].size)
      }
    }
  }

  private static func joined(_ words: [String]) -> String {
    var text = ""
    for word in words { text += (text.isEmpty ? "" : ", ") + word }
    return text
  }
}

extension RunningLevel {
  var text: String {
    switch self {
    case .el1: "EL1"
    case .el2: "EL2"
    case .el2Host: "EL2 with VHE"
    case .unknown: "EL1 or EL2"
    }
  }
}

extension Lifeline.Console {
  var text: String {
    switch self {
    case .none: "none"
    case .pl011(let base): "pl011 at " + base.text
    case .sbsaUART(let base): "SBSA UART at " + base.text
    case .ns16550(let base, let shift, let width):
      "8250 at " + base.text + ", register shift " + String(shift) + ", access width "
        + String(width.rawValue)
    }
  }
}

extension Lifeline.Conduit {
  var text: String {
    switch self {
    case .none: "nothing"
    case .smc: "smc"
    case .hvc: "hvc"
    }
  }
}

extension PhysicalAddress {
  /// In twelve hexadecimal digits or more.
  var text: String {
    let digits = String(rawValue, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, 12 - digits.utf8.count)) + digits
  }
}
