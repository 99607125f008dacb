import ArmTranslation
import BareMetal
import CBareMetal
import CBatonArm64
import KexecRelocation
import PhysicalMemory

/// The one line that the stage prints, and the end where it is not a departure.
struct Report {
  private let lifeline: Lifeline

  init(_ lifeline: Lifeline) {
    self.lifeline = lifeline
  }

  /// That there was nothing to do.
  func departureAtOnce(level: StaticString, entry: UInt64) {
    var console = Console(lifeline.console)
    console.write("baton: ")
    console.write(level)
    console.write(", MMU off, nothing to move; starting ")
    console.write(hexadecimal: entry)
    console.endLine()
  }

  /// What was done, before the jump.
  ///
  /// - Parameter isMovedUncached: whether things moved before the MMU went on.
  func departure(
    level: StaticString, isMovedUncached: Bool, moved: UInt64, verified: UInt64, pieces: Int,
    processors: Int,
    entry: UInt64
  ) {
    var console = Console(lifeline.console)
    console.write("baton: ")
    console.write(level)
    console.write(isMovedUncached ? ", MMU off: moved " : ", MMU and caches on: moved ")
    console.write(decimal: moved)
    console.write(isMovedUncached ? " bytes; MMU and caches on: verified " : " bytes, verified ")
    console.write(decimal: verified)
    console.write(" bytes in ")
    console.write(decimal: UInt64(pieces))
    console.write(" pieces on ")
    console.write(decimal: UInt64(processors))
    console.write(processors == 1 ? " CPU; starting " : " CPUs; starting ")
    console.write(hexadecimal: entry)
    console.endLine()
  }

  func fail(_ failure: StageFailure) -> Never {
    var console = Console(lifeline.console)
    console.write("baton: ")
    switch failure {
    case .block(let refusal):
      console.write("handoff block at ")
      console.write(hexadecimal: baton_stage_block())
      write(refusal, to: &console)
    case .noSuchGranule(let shift, let isKernels):
      console.write("this CPU has no pages of 2^")
      console.write(decimal: UInt64(shift))
      console.write(
        isKernels ? " bytes, which the next kernel needs" : " bytes, which the tables are made of")
    case .regimeNotPrepared(let level):
      console.write("entered at ")
      console.write(level)
      console.write(", for which no tables were loaded")
    case .translation(let fault):
      console.write("the loaded tables would not work: ")
      write(fault, to: &console)
    case .lpisStuck(let stuck):
      console.write("the redistributor at ")
      console.write(hexadecimal: stuck.frame)
      console.write(" keeps its LPIs on, and ")
      switch stuck.reason {
      case .overlap: console.write("has a table in what was loaded, at ")
      case .tooMany: console.write("there are too many tables to reserve: no room for ")
      case .notTold: console.write("does not tell where its table is")
      }
      if stuck.reason != .notTold { console.write(hexadecimal: stuck.table) }
    case .noRoomForReservations:
      console.write("the dtb has no room to reserve the tables of LPIs that stay on")
    case .mismatch(let piece, let index, let pieces):
      console.write(SegmentRole(rawValue: piece.segment)?.name ?? "segment")
      console.write(" differs from what was loaded, at ")
      console.write(hexadecimal: piece.address)
      console.write("..")
      console.write(hexadecimal: piece.address &+ UInt64(piece.size))
      console.write(" (piece ")
      console.write(decimal: UInt64(index + 1))
      console.write(" of ")
      console.write(decimal: UInt64(pieces))
      console.write(")")
      if piece.segment == SegmentRole.crashRegion.rawValue {
        console.write(": a dump kernel was loaded since")
      }
    case .processorStuck(let stuck):
      console.write("CPU ")
      console.write(hexadecimal: stuck.processor)
      console.write(" shares the work and did not finish or go off")
    }
    end(&console)
  }

  func exception(vector: UInt64, syndrome: UInt64, link: UInt64, fault: UInt64) -> Never {
    var console = Console(lifeline.console)
    console.write("baton: exception: ")
    console.write(Exception.name(vector: vector, syndrome: syndrome))
    console.write(" at ")
    console.write(hexadecimal: link)
    console.write(" (stage + ")
    console.write(hexadecimal: link &- baton_stage_base())
    console.write("), ESR ")
    console.write(hexadecimal: syndrome)
    console.write(", FAR ")
    console.write(hexadecimal: fault)
    end(&console)
  }

  /// In the guard, after a panic.
  func panicked() -> Never {
    var console = Console(lifeline.console)
    console.write("baton: the kernel panicked; what baton -l staged is no dump kernel")
    end(&console)
  }

  private func end(_ console: inout Console) -> Never {
    console.write(lifeline.haltsOnFailure ? "; halting" : "; resetting")
    console.endLine()
    if lifeline.haltsOnFailure { baton_halt() }
    Firmware.reset(through: lifeline.conduit)
  }

  private func write(_ refusal: HandoffBlockView.Refusal, to console: inout Console) {
    switch refusal {
    case .noMagic(let found):
      console.write(": not a block, begins with ")
      console.write(hexadecimal: found)
    case .unknownVersion(let version):
      console.write(": version ")
      console.write(decimal: UInt64(version))
      console.write(" is not known to this stage")
    case .unknownFixedSize(let size):
      console.write(": a fixed part of ")
      console.write(decimal: UInt64(size))
      console.write(" bytes is not known to this stage")
    case .unknownStrategy(let strategy):
      console.write(": strategy ")
      console.write(decimal: UInt64(strategy))
      console.write(" is not known to this stage")
    case .badSize(let size):
      console.write(": impossible size ")
      console.write(decimal: UInt64(size))
    case .wrongAddress(let address):
      console.write(": made for ")
      console.write(hexadecimal: address)
    case .badExtents:
      console.write(": its extents lie outside it")
    case .badPieces:
      console.write(": its pieces lie outside it")
    case .badRecord(let address):
      console.write(": its record lies outside the dtb, at ")
      console.write(hexadecimal: address)
    case .badRedistributors:
      console.write(": its redistributors lie outside it")
    case .badProcessors:
      console.write(": impossible processors")
    case .badTables:
      console.write(": impossible table range")
    case .badChecksum(let expected, let found):
      console.write(": stage, tables or block differ from what was loaded (checksum ")
      console.write(hexadecimal: found)
      console.write(", not ")
      console.write(hexadecimal: expected)
      console.write(")")
    }
  }

  private func write(_ fault: TranslationFault, to console: inout Console) {
    switch fault {
    case .control(let tcr):
      console.write("impossible TCR ")
      console.write(hexadecimal: tcr)
    case .root(let ttbr):
      console.write("impossible TTBR ")
      console.write(hexadecimal: ttbr)
    case .translation(let address, let level):
      write("no translation", address.rawValue, level, to: &console)
    case .addressSize(let address, let level):
      write("output beyond the address size", address.rawValue, level, to: &console)
    case .accessFlag(let address, let level):
      write("no access flag", address.rawValue, level, to: &console)
    case .unreadable(let table, let level):
      write("a descriptor outside the tables", table.rawValue, level, to: &console)
    case .mismatch(let address, let translation):
      write("wrong address or attributes", address.rawValue, translation.level, to: &console)
    }
  }

  private func write(
    _ what: StaticString, _ address: UInt64, _ level: Int, to console: inout Console
  ) {
    console.write(what)
    console.write(" at ")
    console.write(hexadecimal: address)
    console.write(", level ")
    // The large format has a level -1.
    if level < 0 { console.write("-") }
    console.write(decimal: UInt64(level.magnitude))
  }
}
