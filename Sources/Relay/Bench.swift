import ArmTranslation
import BareMetal
import CBareMetal
import CBatonArm64
import CRelay
import KexecRelocation
import PhysicalMemory
import RelayLoading

/// `relay.bench`: relocates images of several sizes by every system and granule into scratch memory,
/// and prints what that took. What is measured is what `relay.boot=` does: the stage moves, verifies
/// every byte by digest, and leaves its record; then it goes back to relay instead of to a kernel.
func bench(
  _ sizes: [Int], _ options: RelayOptions, on machine: Machine, departure: baton_departure
) -> Never {
  guard options.level != .drop else { fail(RelayFailure.onlyForBoot.sentence) }
  var rows: [BenchRow] = []
  for size in sizes {
    for granule in Granule.allCases where Processor.hasGranule(shift: UInt32(granule.shift)) {
      for system in [RelocationSystem.off, .identity, .linear, .contiguous] {
        for layout in SourceLayout.allCases {
          var chosen = options
          chosen.granule = granule
          do throws(RelayFailure) {
            rows.append(
              try measure(
                system, UInt64(size) << 20, layout, chosen, on: machine, departure: departure))
          } catch {
            say(
              "\(size) MiB, \(granule.relayName), \(system.name), \(layout.name): "
                + error.sentence)
          }
        }
      }
    }
  }
  say(
    "MiB  granule  system      layout     pages  entries  extents  tables    list us   build us"
      + "   block us    move us   MB/s")
  for row in rows { say(row.line) }
  say(
    "csv: mib,granule,system,layout,pages,entries,extents,table_pages,list_us,build_us,block_us,"
      + "move_us,mb_per_s")
  for row in rows { say("csv: " + row.csv) }
  fail("bench: \(rows.count) rows; done")
}

private func measure(
  _ system: RelocationSystem, _ size: UInt64, _ layout: SourceLayout, _ options: RelayOptions,
  on machine: Machine, departure: baton_departure
) throws(RelayFailure) -> BenchRow {
  var free = machine.available.subtracting(machine.live)
  // The image, and a page for the record, which stands in what passes for a device tree.
  guard
    let scratch = free.lowestFit(
      size: size + 65536, alignment: 2 << 20, within: Everywhere.range)
  else { throw .noMemory(pages: 0) }
  free.subtract(scratch)
  let memory = BareMemory()
  memory.clear(scratch)
  memory.clean(scratch)
  let recordPlace = scratch.start + size
  let segments = [
    LoadSegment(.kernel, .pattern(size), at: scratch.start),
    LoadSegment(.deviceTree, .bytes([UInt8](repeating: 0, count: 4096)), at: recordPlace),
  ]
  let context = unsafe relay_context_to_resume()
  let request = try request(
    system, options, on: machine, entry: PhysicalAddress(relay_resume_address()),
    arguments: (UInt64(UInt(bitPattern: context)), 0, 0, 0), record: recordPlace)
  let supply = PageSupply(free, pageSize: options.granule.pageSize, layout: layout)
  let load = try RelayLoad(segments, request, from: supply, into: memory)
  var there = departure
  there.entry = load.stageEntry.rawValue
  unsafe withUnsafeMutablePointer(to: &there) { there in
    // Sound: the context is resumed once, by the stage.
    unsafe relay_with_saved_context(
      context, { unsafe baton_leave($0.assumingMemoryBound(to: baton_departure.self)) },
      UnsafeMutableRawPointer(there))
  }
  let record = unsafe UnsafePointer<baton_handoff_record>(
    bitPattern: UInt(recordPlace.rawValue)
  ).unsafelyUnwrapped.pointee
  guard record.magic == BATON_RECORD_MAGIC else { fail("bench: the stage left no record") }
  // What relay found, not what it has while it runs: that is what every departure puts back.
  guard Processor.upperRoot == departure.ttbr1 else { fail("bench: the stage left TTBR1 changed") }
  return BenchRow(
    size: size >> 20, granule: options.granule, system: system, layout: layout, load: load,
    moveTicks: record.moved &- record.translation_on,
    bytes: record.bytes_moved)
}

/// One line of the bench's table.
private struct BenchRow {
  let size: UInt64
  let granule: Granule
  let system: RelocationSystem
  let layout: SourceLayout
  let load: RelayLoad
  let moveTicks: UInt64
  let bytes: UInt64

  private func microseconds(_ ticks: UInt64) -> UInt64 {
    ticks &* 1_000_000 / max(Processor.counterFrequency, 1)
  }

  private var speed: UInt64 { bytes / max(microseconds(moveTicks), 1) }

  var line: String {
    pad("\(size)", 3) + "  " + left("\(granule.relayName)", 7) + "  " + left("\(system.name)", 10)
      + "  " + left("\(layout.name)", 8) + pad("\(load.pages)", 8) + pad("\(load.entries)", 9)
      + pad("\(load.extents)", 9) + pad("\(load.tablePages)", 8)
      + pad("\(microseconds(load.ticks.list))", 11)
      + pad("\(microseconds(load.ticks.build))", 11)
      + pad("\(microseconds(load.ticks.block))", 11)
      + pad("\(microseconds(moveTicks))", 11) + pad("\(speed)", 7)
  }

  var csv: String {
    "\(size),\(granule.relayName),\(system.name),\(layout.name),\(load.pages),\(load.entries),"
      + "\(load.extents),\(load.tablePages),\(microseconds(load.ticks.list)),"
      + "\(microseconds(load.ticks.build)),\(microseconds(load.ticks.block)),"
      + "\(microseconds(moveTicks)),\(speed)"
  }

  private func pad(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.utf8.count)) + text
  }

  private func left(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.utf8.count))
  }
}
