import LinuxHost

/// The options of a command line that say what to do, in their order, and what they come to together.
struct TaskOptions {
  var requested: [CommandOption.Name] = []
  var leavesInterfacesUp = false
  var skipsSync = false

  /// Fills in the action and what belongs to it.
  func resolve(
    for caller: Caller, operands: [String], into result: inout Invocation
  ) throws(UsageError) {
    switch caller {
    case .baton: try resolve(operands: operands, into: &result)
    case .kexec: try resolveAsKexec(operands: operands, into: &result)
    }
    if leavesInterfacesUp { result.takesInterfacesDown = false }
    if skipsSync { result.syncs = false }
  }

  /// `baton`: one action at a time, but for those pairs that make one.
  private func resolve(operands: [String], into result: inout Invocation) throws(UsageError) {
    var actions: [Invocation.Action] = []
    var loads = false
    var executes = false
    var forces = false
    for option in requested {
      switch option {
      case .load: loads = true
      case .loadPanic: result.slot = .crash
      case .execute: executes = true
      case .force: forces = true
      case .unload: actions.append(.unload)
      case .status: actions.append(.status)
      case .last: actions.append(.last)
      default: actions.append(.check)
      }
    }
    if actions == [.unload] {
      result.unloadsAnything = forces
    } else if forces {
      loads = true
      executes = true
    }
    if result.slot == .crash {
      // Beside -u and -S it only says which slot is meant; else it loads, and a panic executes.
      if actions != [.unload], actions != [.status] {
        guard !loads, !executes else { throw .severalActions }
        loads = true
      }
    }
    guard actions.count + (loads || executes ? 1 : 0) <= 1 else { throw .severalActions }
    if leavesInterfacesUp, !executes { throw .onlyWithExecute("--no-ifdown") }
    if skipsSync, !executes { throw .onlyWithExecute("--no-sync") }
    if loads {
      guard let image = operands.first else { throw .noImage }
      if operands.count > 1 { throw .unexpectedArgument(operands[1]) }
      result.action = .load(image: image)
      if executes { result.afterLoading = .execute }
    } else {
      guard let action = executes ? .execute : actions.first else { throw .noAction }
      if let operand = operands.first { throw .unexpectedArgument(operand) }
      result.action = action
    }
    result.syncs = executes
    result.takesInterfacesDown = executes
  }

  /// `kexec`: the last word decides, as with kexec-tools, and no word is `kexec IMAGE`. Two pairs mean
  /// more here: `-l` with `-e` behind it starts what it loads, and `-u` with `-p` behind it unloads
  /// the crash kernel and is done.
  private func resolveAsKexec(
    operands: [String], into result: inout Invocation
  ) throws(UsageError) {
    var loads = true
    var saysLoad = false
    var unloads = false
    var executes = false
    var question: Invocation.Action?
    result.afterLoading = .shutDown
    result.syncs = true
    for option in requested {
      switch option {
      case .load:
        saysLoad = true
        loads = true
        executes = false
      case .loadPanic:
        result.slot = .crash
        loads = !unloads
        executes = false
        result.syncs = false
      case .force:
        loads = true
        executes = true
      case .execute:
        loads = loads && saysLoad
        executes = true
      case .unload:
        loads = false
        unloads = true
        result.syncs = false
      case .status: question = .status
      case .last: question = .last
      default: question = .check
      }
      if option == .force || option == .execute {
        result.syncs = true
        result.takesInterfacesDown = true
      }
      result.afterLoading = executes ? .execute : .nothing
    }
    if let question {
      result.action = question
      result.afterLoading = .nothing
      // Asked about no slot in particular, kexec-tools answers for the crash kernel's.
      if question == .status, !saysLoad { result.slot = .crash }
      return
    }
    if executes, unloads || result.slot == .crash { throw .severalActions }
    if loads {
      guard let image = operands.first else { throw .noImage }
      result.action = .load(image: image)
    } else {
      result.action = unloads ? .unload : .execute
      result.unloadsAnything = unloads
      result.afterLoading = .nothing
    }
  }
}
