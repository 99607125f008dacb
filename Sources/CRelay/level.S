// Other tables for the level that runs, and EL2's other regime.
#if defined(__aarch64__)
#include "../CBareMetal/levels.inc"

	.section .text.relay_switch_tables, "ax"
	.globl	relay_switch_tables
// x0 = struct baton_regime_registers *. Both sets of tables map this code to itself. Blocks of the
// one may be pages in the other, so the MMU goes off in between; no memory is read or written
// meanwhile, and the data stays in the caches, where the new tables find it.
relay_switch_tables:
	ldp	x3, x4, [x0]			// TTBR0, TCR
	ldp	x5, x6, [x0, #16]		// MAIR, SCTLR
	dsb	sy				// the new tables are in the caches, where walks look
	branch_at_el2 x9, 1f
	mrs	x7, sctlr_el1
	bic	x7, x7, #1
	isb
	msr	sctlr_el1, x7
	isb
	msr	ttbr0_el1, x3
	msr	tcr_el1, x4
	msr	mair_el1, x5
	isb
	tlbi	vmalle1
	dsb	nsh
	isb
	msr	sctlr_el1, x6
	isb
	ret
1:	mrs	x7, sctlr_el2
	bic	x7, x7, #1
	isb
	msr	sctlr_el2, x7
	isb
	msr	ttbr0_el2, x3
	msr	tcr_el2, x4
	msr	mair_el2, x5
	isb
	tlbi	alle2
	dsb	nsh
	isb
	msr	sctlr_el2, x6
	isb
	ret

	.section .text.relay_host_change, "ax"
	.globl	relay_host_change
// At EL2, MMU off, entered by baton_leave: x0 = device tree, x1 = HCR_EL2 to have. Enters relay anew.
// HCR_EL2.E2H gives CPTR_EL2 another layout: nothing is trapped in either. The lines of the TLB and
// all other registers are entry's business.
relay_host_change:
	write_hcr_el2 x1
	mov	x2, #0x33ff			// RES1 without E2H
	tbz	x1, #34, 1f
	mov	x2, #0x330000			// FPEN, ZEN
1:	msr	cptr_el2, x2
	isb
	b	relay_entry
#endif
