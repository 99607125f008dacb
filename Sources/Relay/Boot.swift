import ArmTranslation
import BareMetal
import BootFormats
import CBareMetal
import CRelay
import CStageImage
import KexecRelocation
import PhysicalMemory
import RelayLoading

/// `relay.boot=`: loads the payload's kernel, and enters the stage that relocates it.
func boot(
  _ system: RelocationSystem, _ options: RelayOptions, on machine: Machine,
  departure: baton_departure
) -> Never {
  do throws(RelayFailure) {
    guard let place = machine.payload, !place.isEmpty else { throw .noPayload }
    guard machine.mappable.contains(place) else { throw .payloadOutsideMemory }
    let memory = BareMemory()
    let payload = try Payload(at: place, in: memory, digests: memory.digests)
    let kernel = try KernelLoad(
      payload, in: memory, tree: machine.tree,
      commandLine: options.nextCommandLine.isEmpty ? nil : options.nextCommandLine,
      available: machine.available, loader: RelayImage.range,
      live: system == .none ? machine.live : PhysicalRangeSet())
    var free = machine.available.subtracting(machine.live)
    // What is loaded right into its place lies there while control pages are looked for.
    if system == .none {
      for segment in kernel.segments { free.subtract(segment.destination) }
    }
    var request = try request(
      system, options, on: machine, entry: kernel.placement.kernel.start,
      arguments: (kernel.placement.deviceTree.start.rawValue, 0, 0, 0), record: kernel.record,
      entrySize: kernel.placement.kernel.size, entryPageSize: kernel.pageSize)
    if options.level == .drop { request.entryInControlPage = relay_control_up_offset() }
    let supply = PageSupply(free, pageSize: options.granule.pageSize, layout: options.layout)
    let load = try RelayLoad(kernel.segments, request, from: supply, into: memory)
    say(
      "\(system.name), \(options.granule.relayName), \(options.layout.name): \(load.pages) pages, "
        + "\(load.entries) entries, \(load.extents) extents, \(load.tablePages) table pages; "
        + "entering the stage at \(load.stageEntry.rawValue.hex)")
    guard options.level == .drop else { leave(to: load.stageEntry, departure) }
    ControlPage.write(
      relay_control_slots(for: load, entry: kernel.placement.kernel.start), at: load.controlPage)
    leave(to: load.controlPage + relay_control_down_offset(), departure)
  } catch {
    fail(error.sentence)
  }
}

/// What is the same for everything that relay loads.
func request(
  _ system: RelocationSystem, _ options: RelayOptions, on machine: Machine, entry: PhysicalAddress,
  arguments: (UInt64, UInt64, UInt64, UInt64),
  record: PhysicalAddress? = nil, entrySize: UInt64 = 0, entryPageSize: Granule? = nil
) throws(RelayFailure) -> RelayLoad.Request {
  guard Processor.hasGranule(shift: UInt32(options.granule.shift)) else {
    throw .granule(StaticText(options.granule.relayName))
  }
  let stage: StageImage
  do throws(StageImage.Malformed) {
    // Sound: the array and its size are constants of this program.
    stage = try unsafe StageImage(
      UnsafeRawBufferPointer(start: baton_stage_image(), count: baton_stage_image_size()))
  } catch {
    throw .stage(error)
  }
  return RelayLoad.Request(
    system: system, regime: options.level == .drop ? .el1 : Processor.regime,
    granule: options.granule, lifeline: lifeline, redistributors: machine.redistributors,
    mappable: machine.mappable,
    digests: BareMemory().digests, stage: stage, entry: entry,
    arguments: arguments, record: record, entrySize: entrySize, entryPageSize: entryPageSize)
}

/// Switches MMU and caches off and enters what lies at `entry`, with the level's registers as they
/// were found.
func leave(to entry: PhysicalAddress, _ departure: baton_departure) -> Never {
  var departure = departure
  departure.entry = entry.rawValue
  unsafe baton_leave(&departure)
}
