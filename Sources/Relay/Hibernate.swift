import ArmTranslation
import BareMetal
import BootDigests
import CBareMetal
import CRelay
import KexecRelocation
import PhysicalMemory
import RelayLoading

/// `relay.hibernate`: copies relay itself (code, constants, stack, heap with its tables) and a region
/// beside it, destroys the originals, has the stage restore them, and goes on where the context was
/// saved.
func hibernate(
  _ size: Int, _ options: RelayOptions, on machine: Machine, departure: baton_departure
) -> Never {
  do throws(RelayFailure) {
    guard options.level != .drop else { throw .onlyForBoot }
    let page = options.granule.pageSize
    var free = machine.available.subtracting(machine.live)
    guard
      let region = free.highestFit(
        size: UInt64(size) << 20, alignment: 2 << 20, within: Everywhere.range),
      let image = RelayImage.range.alignedOutward(to: page)
    else { throw .noMemory(pages: 0) }
    free.subtract(region)
    let memory = BareMemory()
    memory.fill(region)
    let before = memory.digest(region)
    let segments = [
      LoadSegment(.kernel, .snapshot(image.size), at: image.start),
      LoadSegment(.initrd, .snapshot(region.size), at: region.start),
    ]
    var request = try request(
      .linear, options, on: machine,
      entry: PhysicalAddress(relay_resume_address()),
      arguments: (UInt64(UInt(bitPattern: unsafe relay_context_to_resume())), 0, 0, 0))
    // Of what is restored nothing may be counted as the next kernel's.
    request.entrySize = 0
    let supply = PageSupply(free, pageSize: page, layout: options.layout)
    let room = try RelayLoad.controlPages(toRestore: segments, request, from: supply)
    let control = room.start
    say("snapshot of \(image.size) bytes of relay's own and \(region.size) beside it")
    let canary = Processor.counter
    var work = Snapshot(
      segments: segments, request: request, supply: supply, room: room, departure: departure)
    unsafe withUnsafeMutablePointer(to: &work) { work in
      // Sound: the context is saved before its copy is made, and resumed once.
      unsafe relay_with_saved_context(
        relay_context_to_resume(), { unsafe takeSnapshot($0) }, UnsafeMutableRawPointer(work))
    }
    // From here on everything is a copy's copy.
    let after = memory.digest(region)
    let destroyed = memory.word(at: control + UInt64(RELAY_SLOT_DESTROYED))
    guard after == before, destroyed == image.size + region.size else {
      fail("resumed, but not with the memory that was saved")
    }
    let ticks = Processor.counter - canary
    fail(
      "resumed at \(Processor.regime.levelName): \(destroyed) bytes were destroyed and restored in "
        + "\(ticks * 1000 / max(Processor.counterFrequency, 1)) ms; done")
  } catch {
    fail(error.sentence)
  }
}

/// What the copying needs, on the stack that is copied.
private struct Snapshot {
  let segments: [LoadSegment]
  let request: RelayLoad.Request
  let supply: PageSupply
  let room: PhysicalRange
  let departure: baton_departure
}

/// Copies, plans the restoration and leaves for the destruction. Does not return.
private func takeSnapshot(_ argument: UnsafeMutableRawPointer) {
  // Sound: `hibernate` passed it.
  let work = unsafe argument.assumingMemoryBound(to: Snapshot.self).pointee
  do throws(RelayFailure) {
    let load = try RelayLoad(
      restoring: work.segments, work.request, in: work.room, from: work.supply, into: BareMemory())
    var slots = relay_control_slots(for: load, entry: load.stageEntry)
    slots.range_count = UInt64(work.segments.count)
    // Sound: a C array of more elements than there are segments.
    unsafe withUnsafeMutableBytes(of: &slots.ranges) { bytes in
      for (index, segment) in work.segments.enumerated() {
        unsafe bytes.storeBytes(
          of: segment.destination.start.rawValue, toByteOffset: 16 * index, as: UInt64.self)
        unsafe bytes.storeBytes(
          of: segment.destination.end.rawValue, toByteOffset: 16 * index + 8, as: UInt64.self)
      }
    }
    ControlPage.write(slots, at: load.controlPage)
    for segment in work.segments { BareMemory().clean(segment.destination) }
    leave(to: load.controlPage + relay_control_destroy_offset(), work.departure)
  } catch {
    fail(error.sentence)
  }
}
