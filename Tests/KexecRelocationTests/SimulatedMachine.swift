import ArmTranslation
import BootDigests
import CBatonArm64
import PhysicalMemory

@testable import KexecRelocation

/// Memory in which everything that a plan loads lies where it will lie, and the stage's Swift code
/// run over it: the very code that runs between two kernels, but for what only an arm64 CPU has.
struct SimulatedMachine {
  let memory = SimulatedMemory()
  let layout: HandoffLayout
  let lifeline = Lifeline(
    console: .pl011(PhysicalAddress(0x900_0000)), conduit: .smc, haltsOnFailure: false)
  private static let regime = TranslationRegime.el2

  init() throws {
    let ram = PhysicalRangeSet([
      PhysicalRange(PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0xC000_0000))
    ])
    let contents = [12_288, 8_000, 4_000].map { size in
      (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
    }
    let selection = PieceSelection.everything
    let stage = try SyntheticStage.image()
    layout = try HandoffLayout(
      HandoffLayout.Request(
        stage: stage, regimes: [Self.regime], granule: .size4K, ram: ram,
        console: lifeline.console.registers,
        pieceCount: HandoffPlan.pieceCount(
          selection, kernel: contents[0].count, initrd: contents[1].count,
          deviceTree: contents[2].count),
        placement: PlacementRequest(
          available: ram, runningKernel: nil,
          bounds: PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(1 << 48)),
          pageSize: 4096,
          kernel: KernelRequirements(textOffset: 0, memorySize: 0x20_0000, mayLieAnywhere: true),
          initrdSize: UInt64(contents[1].count), deviceTreeSize: UInt64(contents[2].count),
          controlSize: 0, controlAlignment: 1)))
    let (kernel, initrd, tree) = (contents[0], contents[1], contents[2])
    let plan = unsafe HandoffPlan(
      layout: layout, stage: stage, kernel: kernel.span.bytes, initrd: initrd.span.bytes,
      deviceTree: tree.span.bytes, lifeline: lifeline, selection: selection,
      digestingWith: .portable)
    for segment in plan.segments {
      let bytes: [UInt8]
      switch segment.content {
      case .given(let role): bytes = contents[Int(role.rawValue)]
      case .words(let words):
        bytes = words.flatMap { word in
          (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
        }
      case .zeros: continue
      }
      memory.add(bytes, at: segment.destination.start, name: "\(segment.name)")
    }
  }

  /// Why the stage would not start the next kernel.
  enum Failure: Error, Equatable {
    case block(HandoffBlockView.Refusal)
    case regimeNotPrepared
    case translation(TranslationFault)
    case mismatch(piece: Int)
  }

  /// What the stage does from its entry to the jump.
  ///
  /// - Returns: the number of bytes verified.
  func run() throws(Failure) -> UInt64 {
    let handoff = LoadedHandoff(
      base: layout.stageEntry, block: layout.blockAddress, memory: memory)
    let block: HandoffBlockView
    do throws(HandoffBlockView.Refusal) {
      block = try handoff.checkedBlock()
      _ = try block.record()
    } catch {
      throw .block(error)
    }
    let translation = block.header.el2_layout
    guard translation.root != 0 else { throw .regimeNotPrepared }
    do throws(TranslationFault) {
      try handoff.requireMapped(
        block, regime: Self.regime, tcr: Self.regime.tcr(translation.tcr, mmfr0: 0b0101),
        mair: translation.mair, ttbr0: translation.root,
        console: (handoff.lifeline ?? lifeline).console)
    } catch {
      throw .translation(error)
    }
    let verification = PieceVerification(block: block, memory: memory, implementation: .portable)
    for index in 0..<block.pieceCount where !verification.matches(index) {
      throw .mismatch(piece: index)
    }
    return block.pieceBytes
  }

  /// What the stage would report through.
  var foundLifeline: Lifeline? {
    LoadedHandoff(base: layout.stageEntry, block: layout.blockAddress, memory: memory).lifeline
  }

  /// Makes the block's checksum right for what lies in memory: what is broken now was broken when
  /// it was loaded.
  func fixChecksum() {
    let stage = memory.words(of: "stage")
    let constants = memory.words(of: "constants")
    let tables = memory.words(of: "tables")
    let block = memory.words(of: "block")
    let checksum = BlockChecksum.of(
      code: stage.span, constants: constants.span, tables: tables.span, block: block.span)
    memory.set(checksum, word: Int(BATON_BLOCK_CHECKSUM_OFFSET) / 8, of: "block")
  }
}
