// A secondary CPU's way into the stage, and what all CPUs share.
#if defined(__aarch64__)
#include "include/stage_assembly.h"
#include "levels.inc"

	.section .bss.stage_shared_work, "aw", %nobits
	.balign	128
	.globl	stage_shared_work
// struct baton_shared_work
stage_shared_work:
	.space	STAGE_SHARED_WORK_SIZE

	.section .text.baton_secondary_entry, "ax"
	.globl	baton_secondary_entry
// Entry, by PSCI CPU_ON: MMU and data cache off, interrupts masked; at EL2 with HCR_EL2.E2H clear
// where it can be, whatever the CPU that entered the stage runs with, or at EL1; every register but x0
// unknown.
// x0 = the top of this CPU's stack, of which no line is used before the MMU is on.
//
// Memory is only read until then, and only what was loaded or is clean to the point of coherency.
baton_secondary_entry:
	msr	daifset, #0xf
	adrp	x19, stage_shared_work
	add	x19, x19, :lo12:stage_shared_work
	adrp	x8, stage_vectors
	add	x8, x8, :lo12:stage_vectors
	ldp	x10, x11, [x19, #STAGE_SHARED_WORK_LEVEL]	// CurrentEL, HCR_EL2
	ldp	x12, x13, [x19, #STAGE_SHARED_WORK_FEATURES]	// and the conduit
	ldr	x14, [x19, #STAGE_SHARED_WORK_SCTLR]
	msr	tpidr_el0, x13
	branch_at_el2 x9, 1f
	b	3f
1:	msr	vbar_el2, x8
	msr	tpidr_el2, xzr			// nothing is being reported (exceptions.S)
	cmp	x10, #(2 << 2)
	b.eq	2f
	// The other CPU was entered at EL1: down there, with nothing trapped. SCTLR_EL1 is unknown
	// until it is written.
	mov	x11, #(1 << 31)			// HCR_EL2.RW: EL1 is AArch64
	write_hcr_el2 x11
	mov	x11, #0x33ff			// CPTR_EL2: RES1; TZ stays set
	mrs	x9, hcr_el2
	tbz	x9, #34, 7f			// E2H stays set on CPUs without FEAT_E2H0
	mov	x11, #(3 << 20)			// FPEN
7:	msr	cptr_el2, x11
	clear_fine_grained_traps x9
	// HCRX_EL2, where there is one: the copy instructions (MSCEn) and TCR2_EL1 (TCR2En) trap
	// otherwise.
	mrs	x9, id_aa64mmfr1_el1
	tst	x9, #(0xf << 40)		// HCX
	b.eq	5f
	mrs	x11, S3_0_C0_C6_2		// ID_AA64ISAR2_EL1
	tst	x11, #(0xf << 16)		// MOPS
	cset	x11, ne
	lsl	x11, x11, #11
	branch_without_tcr2 x9, 6f
	orr	x11, x11, #(1 << 14)
6:	msr	S3_4_C1_C2_2, x11		// HCRX_EL2
5:	mov	x11, #0x1005			// M, C, I
	bic	x14, x14, x11
	msr	sctlr_el1, x14
	mov	x11, #0x3c5			// SPSR_EL2: EL1h, everything masked
	msr	spsr_el2, x11
	adr	x11, 3f
	msr	elr_el2, x11
	eret
2:	write_hcr_el2 x11			// E2H chooses the layout of what follows
	msr	cptr_el2, x12
	b	4f
3:	msr	vbar_el1, x8
	msr	tpidr_el1, xzr
	msr	cpacr_el1, x12
	isb					// the vectors, before anything can fault
4:	ic	iallu				// nobody did that since this CPU was last on; the barriers
						// that complete it are baton_translation_on's
	msr	spsel, #1
	mov	sp, x0
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x19				// begins with struct baton_regime_registers
	mov	x1, xzr
	mov	x2, xzr
	bl	baton_translation_on
	mov	x0, sp
	bl	stage_secondary			// (top of the stack); does not return
	b	baton_halt
#endif
