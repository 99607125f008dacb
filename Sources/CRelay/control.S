// What relay copies into a control page, outside of everything that is relocated: code that must be
// there when relay is not. Position-independent; one page of 4 KiB, aligned to it. MMU and caches are
// off throughout. Slots are filled in by relay, which cleans the page.
#if defined(__aarch64__)
#include "../CBatonArm64/include/handoff_block.h"
#include "include/CRelay.h"
#include "../CBareMetal/levels.inc"

	.section .text.relay_control, "ax"
	.balign	0x1000
	.globl	relay_control
relay_control:
	// struct relay_control_slots
	.space	RELAY_CONTROL_SLOTS_SIZE

// The way down, entered at EL2 by baton_leave: EL1 as a kernel's boot protocol has it, and the stage
// there. HCR_EL2, HCRX_EL2, CPTR_EL2 and VBAR_EL2 are put back on the way up.
	.balign	64
relay_control_down:
	adr	x9, relay_control
	mrs	x10, hcr_el2
	str	x10, [x9, #RELAY_SLOT_HCR]
	mrs	x10, cptr_el2
	str	x10, [x9, #RELAY_SLOT_CPTR]
	mrs	x10, vbar_el2
	str	x10, [x9, #RELAY_SLOT_VBAR]
	// HCRX_EL2, where there is one (ID_AA64MMFR1_EL1.HCX): EL1 may use the copy instructions
	// (MSCEn, where ID_AA64ISAR2_EL1.MOPS) and TCR2_EL1 (TCR2En, where ID_AA64MMFR3_EL1.TCRX); both
	// trap otherwise.
	mrs	x11, id_aa64mmfr1_el1
	ubfx	x11, x11, #40, #4
	cbz	x11, 3f
	mrs	x10, S3_4_C1_C2_2
	str	x10, [x9, #RELAY_SLOT_HCRX]
	mrs	x11, S3_0_C0_C6_2
	ubfx	x11, x11, #16, #4
	cbz	x11, 1f
	orr	x10, x10, #(1 << 11)
1:	branch_without_tcr2 x11, 2f
	orr	x10, x10, #(1 << 14)
2:	msr	S3_4_C1_C2_2, x10
3:	mov	x10, #(1 << 31)			// HCR_EL2.RW: EL1 is AArch64; nothing is trapped
	write_hcr_el2 x10
	clear_fine_grained_traps x11
	// CPTR_EL2: its RES1 bits, but TZ and TSM, which trap, only where they are RES1.
	mov	x10, #0x330000			// FPEN, ZEN
	mrs	x11, hcr_el2
	tbnz	x11, #34, 5f			// E2H stays set on CPUs without FEAT_E2H0
	mov	x10, #0x33ff
	mrs	x11, id_aa64pfr0_el1
	ubfx	x11, x11, #32, #4		// SVE
	cbz	x11, 4f
	bic	x10, x10, #(1 << 8)
4:	mrs	x11, id_aa64pfr1_el1
	ubfx	x11, x11, #24, #4		// SME
	cbz	x11, 5f
	bic	x10, x10, #(1 << 12)
5:	msr	cptr_el2, x10
	mrs	x10, midr_el1
	msr	vpidr_el2, x10
	mrs	x10, mpidr_el1
	msr	vmpidr_el2, x10
	msr	cntvoff_el2, xzr		// one clock for both levels
	adr	x10, relay_control_vectors
	msr	vbar_el2, x10
	msr	vbar_el1, xzr			// not the stage's yet
	mov	x10, #0x0800			// SCTLR_EL1: RES1, MMU and caches off
	movk	x10, #0x30d0, lsl #16
	msr	sctlr_el1, x10
	mov	x10, #0x3c5			// EL1h, everything masked
	msr	spsr_el2, x10
	ldr	x10, [x9, #RELAY_SLOT_STAGE]
	msr	elr_el2, x10
	isb
	tlbi	vmalle1
	dsb	nsh
	isb
	eret

// Where the stage goes instead of the kernel: at EL1, x0 to x3 the kernel's.
	.balign	64
relay_control_up:
	hvc	#0
relay_control_up_end:
	b	.

// The way up: only from where the stage leaves. Whatever else arrives is reported by the stage's own
// vectors, at this level; without them, by a reset without a word.
relay_control_exception:
	adr	x9, relay_control
	mrs	x11, esr_el2
	lsr	x11, x11, #26
	cmp	x10, #8				// synchronous, from a lower level in AArch64
	ccmp	x11, #0x16, #0, eq		// HVC
	b.ne	1f
	mrs	x11, elr_el2
	adr	x12, relay_control_up_end
	cmp	x11, x12
	b.ne	1f
	// All loads come before VBAR_EL2 is written: behind it, nobody could say whose vectors a fault
	// finds, until the barrier.
	ldr	x10, [x9, #RELAY_SLOT_ENTRY]
	ldr	x12, [x9, #RELAY_SLOT_HCRX]
	ldr	x13, [x9, #RELAY_SLOT_CPTR]
	ldr	x14, [x9, #RELAY_SLOT_VBAR]
	ldr	x15, [x9, #RELAY_SLOT_HCR]
	mrs	x11, id_aa64mmfr1_el1
	ubfx	x11, x11, #40, #4
	cbz	x11, 2f
	msr	S3_4_C1_C2_2, x12
2:	msr	vbar_el2, x14
	write_hcr_el2 x15			// E2H chooses the layout of what follows
	msr	cptr_el2, x13
	isb
	br	x10
1:	mrs	x11, vbar_el1
	ldr	x12, [x9, #RELAY_SLOT_STAGE]
	sub	x12, x11, x12
	cmp	x12, #0x10, lsl #12		// in the stage's code
	b.hs	3f
	msr	tpidr_el2, xzr
	add	x11, x11, x10, lsl #7
	br	x11
3:	mov	w0, #(BATON_PSCI_SYSTEM_RESET & 0xffff)
	movk	w0, #(BATON_PSCI_SYSTEM_RESET >> 16), lsl #16
	smc	#0
	b	.

// The end of the first relay, entered by baton_leave: overwrites the ranges in the slots, with relay's
// code, stack and tables among them, and enters the stage.
	.balign	64
relay_control_destroy:
	adr	x9, relay_control
	ldr	x10, [x9, #RELAY_SLOT_STAGE]
	ldr	x11, [x9, #RELAY_SLOT_RANGES]
	add	x9, x9, #RELAY_SLOT_FIRST_RANGE
	mov	x12, #0xdead
	movk	x12, #0xdead, lsl #16
	bfi	x12, x12, #32, #32
	mov	x15, xzr
1:	cbz	x11, 3f
	sub	x11, x11, #1
	ldp	x13, x14, [x9], #16
	sub	x16, x14, x13
	add	x15, x15, x16
2:	stp	x12, x12, [x13], #16
	cmp	x13, x14
	b.lo	2b
	b	1b
3:	adr	x9, relay_control
	str	x15, [x9, #RELAY_SLOT_DESTROYED]
	dsb	sy
	ic	iallu
	dsb	nsh
	isb
	br	x10

	.macro	control_vector number
	.balign	0x80
	mov	x10, #\number
	b	relay_control_exception
	.endm

	.balign	0x800
relay_control_vectors:
	.irp	number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	control_vector \number
	.endr

	.org	relay_control + 0x1000		// the page's end: an error where it is full already

	.section .text.relay_control_addresses, "ax"
	.macro	offset_of function, symbol
	.globl	\function
\function:
	mov	x0, #(\symbol - relay_control)
	ret
	.endm
	offset_of relay_control_down_offset, relay_control_down
	offset_of relay_control_up_offset, relay_control_up
	offset_of relay_control_destroy_offset, relay_control_destroy

	.globl	relay_control_page
relay_control_page:
	adrp	x0, relay_control
	add	x0, x0, :lo12:relay_control
	ret
#endif
