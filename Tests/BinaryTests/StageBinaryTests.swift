import Lab
import Testing

/// What the stage's binary may not contain, whatever its source looks like.
@Suite("The stage's binary")
struct StageBinaryTests {
  @Test("At most 32 KB")
  func size() throws {
    #expect(try StageBinary().bytes.count <= 32 << 10)
  }

  @Test(
    "What relocates, from the entry to the branch, fits a page of 4 KiB; vectors and policy apart")
  func relocationCode() throws {
    let symbols = try StageSymbols()
    var size = 0
    for function in [
      "stage_entry", "baton_translation_on", "baton_relocate", "baton_copy_pairs",
      "baton_copy_mops", "baton_copy_uncached", "baton_zero_blocks", "baton_zero_stores",
      "baton_clean_to_poc", "baton_leave",
    ] {
      let code = try #require(symbols.code(of: function))
      #expect(code.upperBound < Int.max)
      size += code.count
    }
    #expect(size > 512 && size <= 4096)
  }

  @Test("Before the MMU is on: no exclusives or atomics, no SIMD, no dc zva")
  func beforeTranslation() throws {
    let stage = try StageBinary()
    // Exceptions may come while the MMU is off, too; and another CPU begins with it off.
    let roots = [
      try stage.address("stage_entry"), try stage.address("stage_exception_entry"),
      try stage.address("baton_secondary_entry"), try stage.address("stage_guard_entry"),
      // The relocation loop goes to its form's body by a register.
      try stage.address("baton_copy_uncached"), try stage.address("baton_zero_stores"),
    ]
    let reached = try stage.reachable(
      from: roots,
      without: [
        try stage.address("stage_execute"), try stage.address("stage_secondary"),
        try stage.address("stage_claim_report_cached"),
      ])
    // The way there was really followed: into Swift, and up to the switch.
    #expect(reached.contains(try stage.address("stage_prepare")))
    #expect(reached.contains(try stage.address("baton_translation_on")))
    // And out, where nothing is mapped.
    #expect(reached.contains(try stage.address("baton_leave")))
    for address in reached {
      let instruction = Arm64Instruction(word: stage.code[address / 4])
      let place = "at 0x\(String(address, radix: 16))"
      #expect(!instruction.isExclusiveOrAtomic, "exclusive or atomic \(place)")
      #expect(!instruction.usesSIMD, "SIMD \(place)")
      #expect(!instruction.isDCZVA, "dc zva \(place)")
    }
  }

  /// The loop goes to a body by a register, which no search follows. That the form for the MMU off goes to
  /// none with SIMD or DC ZVA is what these three instructions do, one behind the other.
  @Test("The relocation loop's form for the MMU off chooses its bodies")
  func uncachedForm() throws {
    let stage = try StageBinary()
    let loop = try #require(stage.symbols.code(of: "baton_relocate"))
    let copy = try stage.address("baton_copy_uncached")
    let places = loop.filter { place in
      guard place % 4 == 0 else { return false }
      let offset = copy - place
      // ADR x16
      let adr = UInt32(0x1000_0010) | UInt32(offset & 3) << 29 | UInt32(offset >> 2 & 0x7FFFF) << 5
      return stage.code[place / 4] == adr
    }
    #expect(places.count == 1)
    let place = try #require(places.first) / 4
    // TBZ x4, #1, past both; MOV x11, #0: DC ZVA may not be used.
    #expect(stage.code[place - 1] == 0x3608_0004 | 3 << 5)
    #expect(stage.code[place + 1] == 0xD280_000B)
    // CBZ x11, a turn by stores: before the one place that takes the address of the other body.
    let zeros = try stage.address("baton_zero_blocks")
    let blocks = loop.filter { place in
      let offset = zeros - place
      let adr = UInt32(0x1000_0000) | UInt32(offset & 3) << 29 | UInt32(offset >> 2 & 0x7FFFF) << 5
      return place % 4 == 0 && stage.code[place / 4] & ~0x1F == adr
    }
    #expect(blocks.count == 1)
    let check = try #require(blocks.first) / 4 - 4
    #expect(stage.code[check] & 0xFF00_001F == 0xB400_000B)
  }

  @Test("The same search finds the SIMD of what runs afterwards")
  func searchFindsSIMD() throws {
    let stage = try StageBinary()
    let reached = try stage.reachable(from: [try stage.address("stage_execute")], without: [])
    #expect(reached.contains { Arm64Instruction(word: stage.code[$0 / 4]).usesSIMD })
  }

  /// What the cache model has to demand of each is held by GuestTests.
  @Test("Every barrier and every maintenance of caches and TLB has its row, and every row is there")
  func everyMaintenanceStepIsListed() throws {
    let stage = try StageBinary()
    var rows: [Int: MaintenanceStep] = [:]
    for step in MaintenanceStep.all {
      let indices = try #require(
        step.indices(in: stage.code, stage.symbols), "the stage has no \(step)")
      for index in indices {
        #expect(rows.updateValue(step, forKey: index) == nil, "\(step) has two rows")
      }
    }
    for (index, word) in stage.code.enumerated() where MaintenanceStep.isMaintenance(word) {
      #expect(
        rows[index] != nil,
        "no row in MaintenanceStep.all for the instruction at 0x\(String(index * 4, radix: 16))")
    }
    #expect(rows.keys.allSatisfy { MaintenanceStep.isMaintenance(stage.code[$0]) })
  }

  @Test("No heap: no allocator is linked in")
  func noHeap() throws {
    let stage = try StageBinary()
    for name in ["posix_memalign", "malloc", "free", "swift_allocObject", "swift_slowAlloc"] {
      #expect(stage.symbols.addresses[name] == nil, "\(name) is linked into the stage")
    }
  }

  @Test("The decoder knows the instructions that it looks for")
  func decoder() {
    for word: UInt32 in [0xC85F_7C20, 0xC800_7C20, 0xC85F_FC20, 0xC8A0_7C41, 0xF820_0041] {
      #expect(Arm64Instruction(word: word).isExclusiveOrAtomic)  // ldxr stxr ldaxr cas ldadd
    }
    for word: UInt32 in [0xF940_0020, 0xA940_0440, 0xC8DF_FC20, 0xF860_6820] {
      #expect(!Arm64Instruction(word: word).isExclusiveOrAtomic)  // ldr ldp ldar ldr (register)
    }
    for word: UInt32 in [0xAD40_0440, 0x3DC0_0020, 0x5E28_2820, 0x4E20_1C00, 0x1E60_4020] {
      #expect(Arm64Instruction(word: word).usesSIMD)  // ldp q, ldr q, sha256su0, and, fmov
    }
    for word: UInt32 in [0xF940_0020, 0x8B01_0000, 0xD503_3F9F, 0x9400_0001, 0x9B01_7C00] {
      #expect(!Arm64Instruction(word: word).usesSIMD)  // ldr x, add, dsb, bl, mul
    }
    for word: UInt32 in [
      0xD503_3FDF, 0xD503_379F, 0xD503_3BBF, 0xD503_30FF, 0xD508_7620, 0xD50B_7B21, 0xD508_751F,
      0xD50B_7520, 0xD508_7641, 0xD508_871F, 0xD50C_871F, 0xD508_8721, 0xD50C_971F,
    ] {
      // isb, dsb, dmb, sb, dc ivac, cvau, ic iallu, ivau, dc isw, tlbi vmalle1, alle2, vae1, alle2nxs
      #expect(MaintenanceStep.isMaintenance(word))
    }
    for word: UInt32 in [
      0xD503_3F5F, 0xD503_201F, 0xD503_467F, 0xD53B_D040, 0xD518_1000, 0xD503_4FDF,
    ] {
      // clrex, nop, smstop, mrs tpidr_el0, msr sctlr_el1, msr daifset
      #expect(!MaintenanceStep.isMaintenance(word))
    }
    #expect(Arm64Instruction(word: 0xD50B_7423).isDCZVA)
    #expect(!Arm64Instruction(word: 0xD50B_7A23).isDCZVA)  // dc cvac
    #expect(Arm64Instruction(word: 0x17FF_FFFF).flow == .jump(-4))
    #expect(Arm64Instruction(word: 0x5400_0040).flow == .conditional(8))
    #expect(Arm64Instruction(word: 0xB5FF_FFE0).flow == .conditional(-4))
    #expect(Arm64Instruction(word: 0x3600_0040).flow == .conditional(8))
  }
}
