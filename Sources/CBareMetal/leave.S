// The way out: caches and MMU off, registers as they were found, the branch to the next kernel.
#if defined(__aarch64__)
#include "levels.inc"

	.section .text.baton_leave, "ax"
	.globl	baton_leave
// x0 = struct baton_departure *. Does not return. This code is mapped at its own address, so the
// instruction after the MMU goes off is the next one in memory.
baton_leave:
	ldp	x10, x11, [x0]			// entry, argument 0
	ldp	x12, x13, [x0, #16]		// arguments 1, 2
	ldp	x14, x1, [x0, #32]		// argument 3, start of the writable section
	ldp	x2, x3, [x0, #48]		// its end, SCTLR
	ldp	x4, x5, [x0, #64]		// TCR, MAIR
	ldp	x6, x7, [x0, #80]		// TTBR0, CPACR_EL1 or CPTR_EL2
	ldp	x15, x16, [x0, #96]		// VBAR, TCR2
	ldr	x17, [x0, #112]			// TTBR1
	// Our own dirty lines (stack, variables) would be evicted one day, into memory that is the
	// next kernel's by then. No memory is written from here on.
	data_line_size x8, x9
	// Where the MMU was never on, the stores around the caches come before the cleaning.
	dsb	sy
1:	dc	civac, x1
	add	x1, x1, x8
	cmp	x1, x2
	b.lo	1b
	dsb	sy				// and every clean before it has reached memory
	branch_at_el2 x9, 2f
	isb					// Falkor erratum 1041: just before the MMU goes off
	msr	sctlr_el1, x3
	isb					// from here on around the caches
	msr	tcr_el1, x4
	branch_without_tcr2 x9, 4f
	msr	S3_0_C2_C0_3, x16
4:
	msr	mair_el1, x5
	msr	ttbr0_el1, x6
	msr	ttbr1_el1, x17
	msr	cpacr_el1, x7
	msr	vbar_el1, x15
	isb
	tlbi	vmalle1
	b	3f
2:	isb
	msr	sctlr_el2, x3
	isb
	msr	tcr_el2, x4
	branch_without_tcr2 x9, 5f
	msr	S3_4_C2_C0_3, x16
5:
	msr	mair_el2, x5
	msr	ttbr0_el2, x6
	mrs	x9, hcr_el2
	tbz	x9, #34, 6f			// HCR_EL2.E2H: there is an upper range
	msr	S3_4_C2_C0_1, x17		// TTBR1_EL2
6:
	msr	cptr_el2, x7
	msr	vbar_el2, x15
	isb
	tlbi	alle2
3:	// The next kernel's code was written as data.
	ic	iallu
	dsb	nsh
	isb
	mov	x0, x11
	mov	x1, x12
	mov	x2, x13
	mov	x3, x14
	br	x10
#endif
