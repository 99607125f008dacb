import ArmTranslation
import CBatonArm64
import PhysicalMemory

/// What lies in memory when the stage is entered, and the proof that it is what the loader wrote:
/// the stage itself, the handoff block behind it, the translation tables behind that.
///
/// Nothing is believed before it has been checked: until the checksum has been compared, no memory
/// is read on the word of the block or of the stage's header but what lies where they must.
public struct LoadedHandoff<Memory: ReadableMemory> {
  private let base: PhysicalAddress
  private let blockAddress: PhysicalAddress
  private let memory: Memory

  /// - Parameters:
  ///   - base: where the stage lies.
  ///   - block: where it looks for its block.
  public init(base: PhysicalAddress, block: PhysicalAddress, memory: Memory) {
    self.base = base
    self.blockAddress = block
    self.memory = memory
  }

  /// The stage's own copy of the lifeline, or where that one is damaged, the block's; nil where
  /// both are.
  public var lifeline: Lifeline? {
    if let header, let own = Lifeline(header.lifeline) {
      return own
    }
    guard let block = unsafe pointer(blockAddress, MemoryLayout<baton_handoff_block>.size) else {
      return nil
    }
    // Sound: readable, and aligned: the linker script puts it on a page boundary.
    return Lifeline(unsafe block.load(as: baton_handoff_block.self).lifeline)
  }

  /// The block, its layout checked.
  public func block() throws(HandoffBlockView.Refusal) -> HandoffBlockView {
    guard let pointer = unsafe self.pointer(blockAddress, MemoryLayout<baton_handoff_block>.size)
    else { throw .wrongAddress(blockAddress.rawValue) }
    // Sound: the fixed part can be read, and the rest is not used before it is found so below.
    let view = try unsafe HandoffBlockView(at: pointer, address: blockAddress)
    guard unsafe self.pointer(blockAddress, Int(view.header.size)) != nil else {
      throw .badSize(view.header.size)
    }
    return view
  }

  /// The block, its layout and the checksum of everything checked.
  public func checkedBlock() throws(HandoffBlockView.Refusal) -> HandoffBlockView {
    let block = try block()
    guard let header,
      let code = unsafe words(of: header.code),
      let constants = unsafe words(of: header.constants)
    else { throw .wrongAddress(base.rawValue) }
    guard
      let tables = unsafe words(
        at: PhysicalAddress(block.header.tables), size: block.header.table_size)
    else { throw .badTables }
    // Sound: the memory lasts as long as the stage runs.
    try unsafe block.check(
      code: Span(_unsafeElements: code), constants: Span(_unsafeElements: constants),
      tables: Span(_unsafeElements: tables))
    return block
  }

  /// Makes sure that with these register values everything that the stage runs on is mapped at its
  /// own address as what it is: its code, its constants, its writable section, the block, and the
  /// console.
  ///
  /// - Parameters:
  ///   - block: checked: its checksum covers the stage's header, too.
  ///   - tcr: with the physical address size filled in.
  /// - Throws: the `TranslationFault` that the stage would run into.
  public func requireMapped(
    _ block: HandoffBlockView, regime: TranslationRegime, tcr: UInt64, mair: UInt64,
    ttbr0: UInt64, console: Lifeline.Console
  ) throws(TranslationFault) {
    guard let header,
      let tables = PhysicalRange(
        start: PhysicalAddress(block.header.tables), size: block.header.table_size),
      let blockRange = PhysicalRange(start: blockAddress, size: UInt64(block.header.size))
    else { throw .root(ttbr: ttbr0) }
    let walker = try TableWalker(
      regime: regime, tcr: tcr, mair: mair, ttbr0: ttbr0,
      memory: Tables(range: tables, memory: memory))
    try walker.requireIdentity(of: range(of: header.code), as: .code)
    try walker.requireIdentity(of: range(of: header.constants), as: .readOnlyData)
    try walker.requireIdentity(of: range(of: header.writable), as: .data)
    try walker.requireIdentity(of: blockRange, as: .readOnlyData)
    if let registers = console.registers {
      try walker.requireIdentity(of: registers, as: .device)
    }
  }

  /// The tables, and nothing else, for the walker.
  private struct Tables: TableMemory {
    let range: PhysicalRange
    let memory: Memory

    func word(at address: PhysicalAddress) -> UInt64? {
      guard let word = PhysicalRange(start: address, size: 8), range.contains(word),
        let pointer = unsafe memory.pointer(to: word)
      else { return nil }
      // Sound: eight readable bytes, aligned as a table's entries are.
      return unsafe pointer.load(as: UInt64.self)
    }
  }

  private func range(of section: baton_stage_section) -> PhysicalRange {
    let start = base + UInt64(section.memory_offset)
    return PhysicalRange(start, upTo: start + UInt64(section.memory_size))
  }

  /// A section's content in memory. The header that says where it is has not been checked yet: what
  /// it says is cut to what the linker script allows, and a wrong size fails the checksum.
  private func words(of section: baton_stage_section) -> UnsafeBufferPointer<UInt64>? {
    let stride = UInt32(STAGE_SECTION_STRIDE)
    return unsafe words(
      at: base + UInt64(section.memory_offset & (3 * stride)),
      size: UInt64(min(section.file_size, stride)))
  }

  /// `size` bytes of memory, cut to whole words.
  private func words(at address: PhysicalAddress, size: UInt64) -> UnsafeBufferPointer<UInt64>? {
    guard let pointer = unsafe pointer(address, Int(size)) else { return nil }
    return unsafe UnsafeBufferPointer(
      start: pointer.assumingMemoryBound(to: UInt64.self), count: Int(size / 8))
  }

  /// The stage's header.
  private var header: baton_stage_header? {
    guard let pointer = unsafe pointer(base, MemoryLayout<baton_stage_header>.size) else {
      return nil
    }
    // Sound: readable, and aligned: the linker script puts it at the stage's base.
    return unsafe pointer.load(as: baton_stage_header.self)
  }

  private func pointer(_ address: PhysicalAddress, _ size: Int) -> UnsafeRawPointer? {
    guard let range = PhysicalRange(start: address, size: UInt64(size)) else { return nil }
    return unsafe memory.pointer(to: range)
  }
}
