import ArmTranslation
import BareMetal
import CBareMetal
import CRelay
import PhysicalMemory

/// The first Swift of relay, MMU and caches off: an identity map of relay itself and of the device
/// tree, so that all else runs with the caches on. Nobody could be told what goes wrong here: the
/// console stands in the tree.
///
/// - Parameters:
///   - tree: where the device tree should be.
///   - vbar: the vector base that was found.
@c(relay_prepare)
@used
func relayPrepare(tree: UInt64, vbar: UInt64, context: UnsafeMutablePointer<relay_context>) {
  let regime = Processor.regime
  // Sound: entry.S reserved the context on its stack.
  unsafe context.pointee.departure = baton_departure(
    entry: 0, arguments: (0, 0, 0, 0), vbar: vbar)
  let pool = PhysicalRange(
    PhysicalAddress(relay_early_tables()), upTo: PhysicalAddress(relay_early_tables_end()))
  guard let tables = unsafe UnsafeMutablePointer<UInt64>(bitPattern: UInt(pool.start.rawValue))
  else { baton_halt() }
  // Sound: the linker script reserves the pool for this.
  var map = unsafe EarlyMap(
    regime: regime, pool: tables, at: pool.start, pageCount: Int(pool.size / 4096))
  var isMapped = true
  let parts = RelayImage.parts
  for index in parts.indices {
    isMapped = isMapped && map.map(parts[index].0, as: parts[index].1)
  }
  if let range = treeRange(at: tree) { isMapped = isMapped && map.map(range, as: .readOnlyData) }
  guard isMapped else { baton_halt() }
  let control = map.control
  unsafe context.pointee.regime = baton_regime_registers(
    ttbr0: map.root.rawValue, tcr: regime.tcr(control.tcr, mmfr0: baton_read_id_aa64mmfr0_el1()),
    mair: control.mair, sctlr: regime.translationOnSCTLR, ttbr1: 0)
}

/// What the tree at `address` takes, by its own header, or nil where there is none.
func treeRange(at address: UInt64) -> PhysicalRange? {
  guard address & 7 == 0, address != 0,
    let header = unsafe UnsafePointer<UInt32>(bitPattern: UInt(address)),
    // Sound: x0 is a tree's address by the boot protocol; what is not there is an abort.
    unsafe UInt32(bigEndian: header[0]) == 0xD00D_FEED
  else { return nil }
  let size = unsafe UInt64(UInt32(bigEndian: header[1]))
  guard size >= 40, size <= 2 << 20 else { return nil }
  return PhysicalRange(start: PhysicalAddress(address), size: size)
}
