import ArmTranslation
import BareMetal
import BootFormats
import CBareMetal
import CRelay
import HardwareDescription
import KexecRelocation
import PhysicalMemory
import RelayLoading

/// The rest of relay, MMU and caches on, on the early map.
@c(relay_main)
@used
func relayMain(tree address: UInt64, context: UnsafeMutablePointer<relay_context>) -> Never {
  setUpHeap()
  Processor.enableSIMD()
  // Nobody can be told of a broken tree: the console stands in it.
  guard let treePlace = treeRange(at: address), let tree = parseTree(treePlace) else {
    fail("no device tree")
  }
  let hardware = Hardware(tree)
  lifeline = Lifeline(console: hardware.console, conduit: hardware.conduit)
  let options: Result<RelayOptions, RelayOptions.Malformed>
  do throws(RelayOptions.Malformed) {
    let parsed = try RelayOptions(parsing: tree.bootArguments ?? [])
    lifeline = Lifeline(
      console: parsed.console ?? hardware.console, conduit: hardware.conduit,
      haltsOnFailure: parsed.haltsOnFailure)
    options = .success(parsed)
  } catch {
    options = .failure(error)
  }
  // Until the console is mapped, nothing can be said.
  let machine = Machine(tree: tree, at: treePlace, hardware: hardware)
  machine.switchOn()
  switch options {
  case .failure(let error): fail(error.sentence)
  case .success(let options):
    // Sound: entry.S reserved the context on its stack.
    settle(options.level, tree: address, departure: unsafe context.pointee.departure)
    machine.describe(options)
    switch options.action {
    case .boot(let system):
      boot(system, options, on: machine, departure: unsafe context.pointee.departure)
    case .hibernate(let size):
      hibernate(size, options, on: machine, departure: unsafe context.pointee.departure)
    case .bench(let sizes):
      bench(sizes, options, on: machine, departure: unsafe context.pointee.departure)
    case .describe: break
    }
    fail("nothing to do: give relay.boot=, relay.bench or relay.hibernate on the command line")
  }
}

private func parseTree(_ place: PhysicalRange) -> DeviceTree? {
  do throws(DeviceTreeError) {
    return try withBytes(of: place) { bytes throws(DeviceTreeError) in
      try DeviceTree(parsing: bytes)
    }
  } catch {
    return nil
  }
}

/// Hands `body` what lies in `range`, which is mapped and not written meanwhile.
func withBytes<Result: ~Copyable, Failure>(
  of range: PhysicalRange, _ body: (RawSpan) throws(Failure) -> Result
) throws(Failure) -> Result {
  // Sound where the above holds.
  let bytes = unsafe UnsafeRawBufferPointer(
    start: UnsafeRawPointer(bitPattern: UInt(range.start.rawValue)), count: Int(range.size))
  return try unsafe body(bytes.bytes)
}

/// Sees to it that relay runs at the level that the command line asks for, and returns where it
/// does: to EL2's other regime it goes by starting anew.
private func settle(
  _ wanted: RelayOptions.Level?, tree: UInt64, departure: baton_departure
) {
  guard let wanted else { return }
  let wantsHost: Bool
  switch (wanted, Processor.regime) {
  case (.el1, .el1), (.el2, .el2), (.drop, .el2), (.vhe, .el2Host): return
  case (.el2, .el2Host), (.drop, .el2Host): wantsHost = false
  case (.vhe, .el2):
    guard Processor.hasVirtualizationHostExtensions else {
      fail("relay.level=vhe: this CPU has no VHE")
    }
    wantsHost = true
  case (let level, let regime):
    fail("relay.level=\(level.name): relay was entered at \(regime.levelName)")
  }
  var departure = departure
  departure.entry = relay_change_host()
  let control = baton_read_hcr_el2()
  // RW: AArch64 below; TGE goes with E2H, as a kernel that runs there sets it.
  let host = HCR_EL2.e2h.mask | HCR_EL2.tge.mask
  departure.arguments = (
    tree, (wantsHost ? control | host : control & ~host) | HCR_EL2.rw.mask, 0, 0
  )
  unsafe baton_leave(&departure)
}
