// The stage's own exception vectors. The stage takes no interrupt and expects no exception: every
// vector reports once and resets.
//
// TPIDR_ELx is 1 while an exception is being reported. A second exception on the way finds it so
// and resets without a word: what failed is the reporting. It reads no memory for that: the PSCI
// conduit is in TPIDR_EL0 (0: not known yet, or none).
#if defined(__aarch64__)
#include "../CBatonArm64/include/handoff_block.h"
#include "include/stage_assembly.h"
#include "levels.inc"

	.macro	vector number
	.balign	0x80
	mov	x0, #\number
	b	stage_exception_entry
	.endm

	.section .text.stage_vectors, "ax"
	.balign	0x800
	.globl	stage_vectors
stage_vectors:
	vector	0	// current level with SP_EL0: synchronous, IRQ, FIQ, SError
	vector	1
	vector	2
	vector	3
	vector	4	// current level with SP_ELx
	vector	5
	vector	6
	vector	7
	vector	8	// lower level, AArch64
	vector	9
	vector	10
	vector	11
	vector	12	// lower level, AArch32
	vector	13
	vector	14
	vector	15

// x0 = the vector's number. Nothing is saved: nobody returns.
	.balign	0x80
stage_exception_entry:
	msr	daifset, #0xf
	mov	x6, #1
	branch_at_el2 x5, 1f
	mrs	x5, tpidr_el1
	msr	tpidr_el1, x6
	mrs	x1, esr_el1
	mrs	x2, elr_el1
	mrs	x3, far_el1
	b	2f
1:	mrs	x5, tpidr_el2
	msr	tpidr_el2, x6
	mrs	x1, esr_el2
	mrs	x2, elr_el2
	mrs	x3, far_el2
2:	cbnz	x5, stage_reset_without_a_word
	bl	baton_claim_report
	// A stack of its own: the other one may be what failed.
	adrp	x8, stage_exception_stack_top
	add	x8, x8, :lo12:stage_exception_stack_top
	msr	spsel, #1
	mov	sp, x8
	mov	x29, xzr
	mov	x30, xzr
	bl	stage_exception			// (vector, ESR, ELR, FAR); does not return
	b	baton_halt

stage_reset_without_a_word:
	mrs	x1, tpidr_el0
	mov	w0, #(BATON_PSCI_SYSTEM_RESET & 0xffff)
	movk	w0, #(BATON_PSCI_SYSTEM_RESET >> 16), lsl #16
	// From EL2 only SMC can be right, known or not; from EL1 a guess could trap again, for ever.
	branch_at_el2 x5, 4f
	cmp	x1, #BATON_PSCI_HVC
	b.eq	3f
	cmp	x1, #BATON_PSCI_SMC
	b.eq	4f
	b	baton_halt
3:	hvc	#0
	b	baton_halt
4:	smc	#0
	b	baton_halt

// Returns on the first CPU that comes here; the others stand still. Where one fails, the cause is
// often all CPUs': they would write one line on another, from one stack. Keeps x0 to x8.
//
// While this CPU's caches are off it is alone, or shares nothing yet, and an exclusive access need
// not work.
	.globl	baton_claim_report
baton_claim_report:
	branch_at_el2 x9, 1f
	mrs	x9, sctlr_el1
	b	2f
1:	mrs	x9, sctlr_el2
2:	tbnz	x9, #2, stage_claim_report_cached	// C
	ret

stage_claim_report_cached:
	mrs	x9, mpidr_el1				// not 0: bit 31 is RES1
	adrp	x10, stage_shared_work
	add	x10, x10, :lo12:stage_shared_work
	add	x10, x10, #STAGE_SHARED_WORK_REPORTER
1:	ldxr	x11, [x10]
	cbz	x11, 2f
	cmp	x11, x9					// its report failed
	b.ne	baton_halt
	ret
2:	stxr	w11, x9, [x10]
	cbnz	w11, 1b
	ret
#endif
