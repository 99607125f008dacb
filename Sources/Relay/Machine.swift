import ArmTranslation
import BareMetal
import BootFormats
import CBareMetal
import CRelay
import HardwareDescription
import KexecRelocation
import PhysicalMemory
import RelayLoading

/// The machine that relay runs on, as its device tree tells.
struct Machine {
  let tree: DeviceTree
  let treePlace: PhysicalRange
  let redistributors: [RedistributorRegion]
  /// What may be mapped cacheable.
  let mappable: PhysicalRangeSet
  /// What may be overwritten, but for relay itself, its tree and its payload.
  let available: PhysicalRangeSet
  let cpuCount: Int
  /// As the tree names it; the lifeline's copy calls an SBSA UART a PL011.
  private let console: Lifeline.Console
  /// What the boot loader gave as initial RAM disk.
  let payload: PhysicalRange?

  /// What relay itself needs as long as it runs.
  var live: PhysicalRangeSet {
    var live = PhysicalRangeSet([RelayImage.range, treePlace])
    if let payload { live.insert(payload) }
    return live
  }

  init(tree: DeviceTree, at place: PhysicalRange, hardware: Hardware) {
    self.tree = tree
    treePlace = place
    redistributors = hardware.redistributors
    console = hardware.console
    do throws(DeviceTreeContentError) {
      let memory = try TreeMemory(tree)
      mappable = memory.mappable
      available = memory.available
    } catch {
      mappable = PhysicalRangeSet()
      available = PhysicalRangeSet()
    }
    payload = tree.initialRAMDisk
    cpuCount = tree.cpuCount
  }

  /// Maps all memory, relay's own parts as what they are, and the console.
  func switchOn() {
    let regime = Processor.regime
    var tables = TranslationTables<Building>(regime: regime, granule: .size4K)
    var data = mappable.alignedInward(to: 4096)
    // Where no memory node tells of them, relay and its tree are memory all the same.
    data.insert(RelayImage.range)
    if let place = treePlace.alignedOutward(to: 4096) { data.insert(place) }
    data.subtract(RelayImage.range)
    do throws(MappingError) {
      try tables.map(data, as: .data)
      let parts = RelayImage.parts
      for index in parts.indices { try tables.map(Mapping(parts[index].0, as: parts[index].1)) }
      if let registers = lifeline.console.registers?.alignedOutward(to: 4096) {
        try tables.map(Mapping(registers, as: .device))
      }
    } catch {
      // What cannot be mapped is the console: among memory, or twice.
      lifeline.console = .none
      fail("the machine's memory cannot be mapped")
    }
    let size = tables.pageCount * 4096
    // The tables live on the heap for ever.
    let place = permanentMemory(size)
    let sealed: TranslationTables<Sealed>
    do throws(TableMemoryError) { sealed = try tables.seal(in: place) } catch {
      fail("relay's own tables do not fit their place")
    }
    store(sealed.words, at: place.start)
    var registers = baton_regime_registers(
      ttbr0: sealed.root.rawValue,
      tcr: regime.tcr(sealed.control.tcr, mmfr0: baton_read_id_aa64mmfr0_el1()),
      mair: sealed.control.mair, sctlr: regime.translationOnSCTLR, ttbr1: 0)
    // Sound: a C function that reads four words.
    unsafe relay_switch_tables(&registers)
  }

  /// Says what this machine is.
  func describe(_ options: RelayOptions) {
    say(
      "\(Processor.regime.levelName), at \(RelayImage.range.start.rawValue.hex), "
        + "device tree at \(treePlace.start.rawValue.hex), \(cpuCount) CPU"
        + (cpuCount == 1 ? "" : "s"))
    for range in mappable.ranges {
      say("memory \(range.start.rawValue.hex)..\(range.end.rawValue.hex)")
    }
    for range in mappable.subtracting(available).ranges {
      say("reserved \(range.start.rawValue.hex)..\(range.end.rawValue.hex)")
    }
    say(
      "console \((options.console ?? console).text), PSCI \(lifeline.conduit.text), pages of"
        + (Processor.hasGranule(shift: 12) ? " 4k" : "")
        + (Processor.hasGranule(shift: 14) ? " 16k" : "")
        + (Processor.hasGranule(shift: 16) ? " 64k" : ""))
    if let payload {
      say("payload at \(payload.start.rawValue.hex), \(payload.size) bytes")
    }
  }
}

/// `size` bytes on a page boundary, for ever.
func permanentMemory(_ size: Int) -> PhysicalRange {
  // Sound: nobody gives it back.
  let pointer = unsafe relayAllocate(size: size, alignment: 4096)
  let start = PhysicalAddress(UInt64(UInt(bitPattern: pointer)))
  return PhysicalRange(start, upTo: start + UInt64(size))
}

/// Writes `words` to memory that is mapped and the caller's.
func store(_ words: [UInt64], at address: PhysicalAddress) {
  guard let target = unsafe UnsafeMutablePointer<UInt64>(bitPattern: UInt(address.rawValue)) else {
    return
  }
  // Sound where the above holds.
  for index in words.indices { unsafe target[index] = words[index] }
}

extension Lifeline.Console {
  var text: String {
    switch self {
    case .none: "none"
    case .pl011(let base): "pl011 at \(base.rawValue.hex)"
    case .sbsaUART(let base): "SBSA UART at \(base.rawValue.hex)"
    case .ns16550(let base, _, _): "8250 at \(base.rawValue.hex)"
    }
  }
}

extension Lifeline.Conduit {
  var text: String {
    switch self {
    case .none: "none"
    case .smc: "by smc"
    case .hvc: "by hvc"
    }
  }
}
