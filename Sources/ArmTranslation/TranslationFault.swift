import PhysicalMemory

/// Why an address is not translated, or not as it should be.
public enum TranslationFault: Error, Hashable, Sendable {
  /// This TCR has a reserved or unsupported granule, TnSZ or physical address size, or switches
  /// walks of the range off.
  case control(tcr: UInt64)
  /// TTBRn is not aligned to the root table's size, or lies beyond the physical address size.
  case root(ttbr: UInt64)
  /// Translation fault: no valid descriptor at `level`, or an address beyond the input range.
  case translation(VirtualAddress, level: Int)
  /// Address size fault: the descriptor at `level` points beyond the physical address size.
  case addressSize(VirtualAddress, level: Int)
  /// Access flag fault: AF = 0.
  case accessFlag(VirtualAddress, level: Int)
  /// The descriptor at this address, of a table at `level`, cannot be read.
  case unreadable(PhysicalAddress, level: Int)
  /// The address is translated, but to something else than was demanded.
  case mismatch(VirtualAddress, Translation)
}
