// Switches translation and caches on.
#if defined(__aarch64__)
#include "levels.inc"

	.section .text.baton_translation_on, "ax"
	.globl	baton_translation_on
// x0 = struct baton_regime_registers *, x1 = start and x2 = end of the writable section, whole
// pages, or both 0 where nothing was written around the caches (a secondary CPU). The tables map
// this code, the section and the caller at their own addresses.
// Everything is in registers before the section's lines go: no memory is touched from there on
// until the MMU is on.
// The instruction cache is left alone: it finds lines by their physical address, what was loaded was
// invalidated in it by whoever wrote it, on this CPU, and the stage has not written code since. A CPU
// that was started has invalidated its own.
baton_translation_on:
	ldp	x3, x4, [x0]			// TTBR0, TCR
	ldp	x5, x6, [x0, #16]		// MAIR, SCTLR
	ldr	x10, [x0, #32]			// TTBR1
	data_line_size x7, x8
	// What has been written around the caches must reach memory before lines are dropped, and
	// stale lines must be gone before a cached read could find them. Clean lines at most: the
	// kernel cleaned them, but a speculative read of its own may have brought them back.
	dsb	sy
	b	2f
1:	dc	ivac, x1
	add	x1, x1, x7
2:	cmp	x1, x2
	b.lo	1b
	dsb	sy
	branch_at_el2 x9, 5f
	msr	mair_el1, x5
	msr	tcr_el1, x4
	// Linux leaves TCR2_ELx.PIE set where it has it: permissions would then come from PIR_ELx, by
	// indices, and those that our tables ask for mean something else there.
	branch_without_tcr2 x8, 3f
	msr	S3_0_C2_C0_3, xzr		// TCR2_EL1
3:
	msr	ttbr0_el1, x3
	msr	ttbr1_el1, x10
	isb					// TLBs may cache these: before stale entries go
	tlbi	vmalle1
	dsb	nsh				// done on this CPU; the others do it themselves
	isb
	msr	sctlr_el1, x6
	isb
	ret
5:	msr	mair_el2, x5
	msr	tcr_el2, x4
	branch_without_tcr2 x8, 4f
	msr	S3_4_C2_C0_3, xzr		// TCR2_EL2
4:
	msr	ttbr0_el2, x3
	// Not where there is no EL2&0, and of no use where HCR_EL2.E2H does not choose it.
	cbz	x10, 6f
	msr	S3_4_C2_C0_1, x10		// TTBR1_EL2
6:
	isb
	tlbi	alle2
	dsb	nsh
	isb
	msr	sctlr_el2, x6
	isb
	ret
#endif
