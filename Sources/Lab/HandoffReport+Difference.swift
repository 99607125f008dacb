extension HandoffReport {
  /// In what the machine that the next kernel found differs from the one that there is, in words;
  /// nil if it does not.
  public func difference(from machine: Machine) -> String? {
    let level = machine.level.exceptionLevel
    guard measurement.kernelLevel == level else {
      return "the next kernel was entered at EL\(measurement.kernelLevel), not EL\(level)"
    }
    guard startedLevel == level else {
      return "the next kernel did not find all its CPUs at EL\(level)"
    }
    guard usesHostExtensions == (machine.level == .vhe) else {
      return "the next kernel found " + (usesHostExtensions ? "VHE" : "no VHE")
    }
    guard processors == machine.processors else {
      return "the next kernel brought up \(processors ?? 0) CPUs of \(machine.processors)"
    }
    // Linux's words where the last kernel's interrupt controller still writes to its tables.
    guard !run.lines.contains(where: { $0.contains("Booted with LPIs enabled") }) else {
      return "the next kernel was entered with LPIs on"
    }
    return nil
  }
}
