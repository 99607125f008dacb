/// An instruction of the stage that maintains a cache or the TLB, or orders such work, and what the
/// lab's model of the caches (Sources/CCachePlugin) has to say where it is missing.
public struct MaintenanceStep: Sendable, Hashable, CustomStringConvertible {
  public enum Operation: String, Sendable, CaseIterable {
    case dcIVAC = "dc ivac"
    case dcCIVAC = "dc civac"
    case icIALLU = "ic iallu"
    case tlbiVMALLE1 = "tlbi vmalle1"
    case tlbiALLE2 = "tlbi alle2"
    case dsbSY = "dsb sy"
    case dsbNSH = "dsb nsh"
    case isb

    /// The encoding, with the register's field zero where the operation takes one.
    var word: UInt32 {
      switch self {
      case .dcIVAC: 0xd508_7620
      case .dcCIVAC: 0xd50b_7e20
      case .icIALLU: 0xd508_7500
      case .tlbiVMALLE1: 0xd508_8700
      case .tlbiALLE2: 0xd50c_8700
      case .dsbSY: 0xd503_3f80
      case .dsbNSH: 0xd503_3780
      case .isb: 0xd503_3fc0
      }
    }
  }

  /// Whether an instruction is one that needs a row: any barrier, any maintenance of caches and TLB.
  ///
  /// Arm ARM C4.1, "Barriers" but for CLREX, and "System instructions" whose CRn is 7 (caches), 8 or
  /// 9 (TLB), whatever their operands.
  public static func isMaintenance(_ word: UInt32) -> Bool {
    if word & 0xffff_f01f == 0xd503_301f { return word >> 5 & 7 != 0b010 }
    // DC ZVA is a store of zeros.
    if word & ~0x1f == 0xd50b_7420 { return false }
    return word & 0xfff8_0000 == 0xd508_0000 && (7...9).contains(word >> 12 & 0xf)
  }

  /// The function that holds it, by the name in the binary's symbol table.
  public var function: String
  public var operation: Operation
  /// Which ones of that operation they are in the function, counted from 0: more than one where a
  /// loop is unrolled.
  public var ordinals: Range<Int>
  /// The levels whose way leads through it.
  public var levels: [Machine.Level]
  /// Whether the way leads through it only where other CPUs share the work.
  public var needsSecondary: Bool
  /// What the model finds where it is missing, at the least.
  public var violation: CacheLog.Kind

  public var description: String {
    "\(operation.rawValue) \(ordinals.count == 1 ? "\(ordinals.lowerBound)" : "\(ordinals)") of \(function)"
  }

  init(
    _ function: String, _ operation: Operation, _ ordinal: Int = 0, count: Int = 1,
    at levels: [Machine.Level] = Machine.Level.allCases, needsSecondary: Bool = false,
    finds violation: CacheLog.Kind
  ) {
    self.function = function
    self.operation = operation
    ordinals = ordinal..<(ordinal + count)
    self.levels = levels
    self.needsSecondary = needsSecondary
    self.violation = violation
  }

  /// Every step of the stage, in the order in which it takes them.
  public static let all: [MaintenanceStep] = {
    let el1: [Machine.Level] = [.el1]
    let el2: [Machine.Level] = [.el2, .vhe]
    let on = "baton_translation_on"
    let off = "baton_leave"
    let secondary = "baton_secondary_entry"
    return [
      // The vectors' address, before anything can fault.
      .init("stage_entry", .isb, finds: .sync),
      // The same in the guard, to which no handoff leads.
      .init("stage_guard_entry", .isb, at: [], finds: .sync),
      // Stores made around the caches, before the lines go; the lines gone, before they are read.
      .init(on, .dsbSY, 0, finds: .order),
      .init(on, .dcIVAC, finds: .stale),
      .init(on, .dsbSY, 1, finds: .stale),
      // MAIR, TCR, TTBR0; stale entries gone; the MMU on.
      .init(on, .isb, 0, at: el1, finds: .tlb),
      .init(on, .tlbiVMALLE1, at: el1, finds: .tlb),
      .init(on, .dsbNSH, 0, at: el1, finds: .tlb),
      .init(on, .isb, 1, at: el1, finds: .tlb),
      .init(on, .isb, 2, at: el1, finds: .sync),
      .init(on, .isb, 3, at: el2, finds: .tlb),
      .init(on, .tlbiALLE2, at: el2, finds: .tlb),
      .init(on, .dsbNSH, 1, at: el2, finds: .tlb),
      .init(on, .isb, 4, at: el2, finds: .tlb),
      .init(on, .isb, 5, at: el2, finds: .sync),
      // SIMD allowed.
      .init("baton_write_cpacr_el1", .isb, at: el1, finds: .sync),
      .init("baton_write_cptr_el2", .isb, at: el2, finds: .sync),
      // What was moved: sixteen lines a turn, then line by line.
      .init("baton_relocate", .dcCIVAC, count: 16, finds: .left),
      .init("baton_relocate", .dcCIVAC, 16, finds: .left),
      // Before it, with the MMU off, to which no handoff of Linux's leads: relay's do, and its tests take
      // these away.
      .init("baton_relocate", .dcIVAC, at: [], finds: .stale),
      .init("baton_relocate", .dsbSY, at: [], finds: .stale),
      // What was written for the next kernel.
      .init("baton_clean_to_poc", .dcCIVAC, finds: .left),
      // What another CPU reads before its MMU is on; there, HCR before CPTR, or the vectors, and its
      // instruction cache. No handoff of the lab's goes on at EL1 with a CPU that came at EL2; and that
      // no access may be on its way while HCR is written is an erratum's.
      .init("baton_complete_cleaning", .dsbSY, needsSecondary: true, finds: .read),
      .init(secondary, .dsbNSH, count: 2, at: [], needsSecondary: true, finds: .sync),
      .init(secondary, .isb, 0, at: [], needsSecondary: true, finds: .sync),
      .init(secondary, .isb, 1, at: el2, needsSecondary: true, finds: .sync),
      .init(secondary, .isb, 2, at: el1, needsSecondary: true, finds: .sync),
      .init(secondary, .icIALLU, needsSecondary: true, finds: .icache),
      // Where the MMU was never on: relay's *none*.
      .init(off, .dsbSY, 0, at: [], finds: .order),
      // The stage's own lines, and all cleans before them.
      .init(off, .dcCIVAC, finds: .left),
      .init(off, .dsbSY, 1, finds: .left),
      // Right before the MMU goes off; it is off; registers as they were found.
      .init(off, .isb, 0, at: el1, finds: .sync),
      .init(off, .isb, 1, at: el1, finds: .sync),
      .init(off, .isb, 2, at: el1, finds: .tlb),
      .init(off, .tlbiVMALLE1, at: el1, finds: .tlb),
      .init(off, .isb, 3, at: el2, finds: .sync),
      .init(off, .isb, 4, at: el2, finds: .sync),
      .init(off, .isb, 5, at: el2, finds: .tlb),
      .init(off, .tlbiALLE2, at: el2, finds: .tlb),
      // The next kernel's code, which was written as data.
      .init(off, .icIALLU, finds: .icache),
      .init(off, .dsbNSH, finds: .icache),
      .init(off, .isb, 6, finds: .icache),
    ]
  }()

  /// Where the step is, as indices of words of the stage's code, or nil where the stage lacks one.
  public func indices(in code: [UInt32], _ symbols: StageSymbols) -> [Int]? {
    guard let range = symbols.code(of: function) else { return nil }
    let places = stride(
      from: range.lowerBound / 4, to: min(range.upperBound / 4, code.count), by: 1
    )
    .filter { code[$0] & ~0x1f == operation.word }
    return ordinals.upperBound <= places.count ? Array(places[ordinals]) : nil
  }
}
