import PhysicalMemory

extension TableWalker {
  /// Makes sure that every byte of `range` is mapped to itself as `kind`, entry by entry.
  ///
  /// - Throws: the `TranslationFault` of the first address that is not.
  public func requireIdentity(
    of range: PhysicalRange, as kind: MemoryKind
  ) throws(TranslationFault) {
    var address = range.start
    while address < range.end {
      let translation = try translate(VirtualAddress(identityOf: address))
      guard translation.physicalAddress == address, translation.kind == kind else {
        throw .mismatch(VirtualAddress(identityOf: address), translation)
      }
      // Cannot wrap: what was translated lies below 2^52.
      address = address.alignedDown(to: translation.entrySize) + translation.entrySize
    }
  }
}
