// relay's arm64 Image header (Linux booting.rst), and what happens before the first line of Swift.
#if defined(__aarch64__)
#include "include/CRelay.h"
#include "../CBareMetal/levels.inc"

	.section .relay.header, "ax"
	.globl	relay_header
relay_header:
	b	relay_entry
	.word	0
	.quad	0				// text_offset
	.quad	relay_image_end - relay_header
	.quad	(1 << 3) | (1 << 1)		// anywhere; pages of 4 KiB; little-endian
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.word	0

// Entry, as firmware and kernels leave: x0 = device tree; MMU and data cache off, interrupts masked,
// EL1 or EL2. The image is clean to the point of coherency; what lies behind its bytes holds
// anything, in memory and in the caches. All of it runs around the caches until baton_translation_on.
	.section .text.relay_entry, "ax"
	.globl	relay_entry
relay_entry:
	msr	daifset, #0xf
	msr	tpidr_el0, xzr			// no PSCI conduit known yet
	mov	x19, x0
	// On CPUs without FEAT_E2H0 (ID_AA64MMFR4_EL1.E2H0 negative) HCR_EL2.E2H is set, but need not read
	// so before it has been written.
	branch_at_el2 x9, 7f
	b	8f
7:	mrs	x9, S3_0_C0_C7_4
	tbz	x9, #27, 8f
	mrs	x9, hcr_el2
	orr	x9, x9, #(1 << 34)
	write_hcr_el2 x9
8:
	// Relocation: the image is linked at 0, and all entries are R_AARCH64_RELATIVE (a test looks).
	adrp	x20, relay_header
	add	x20, x20, :lo12:relay_header
	adrp	x1, relay_relocations
	add	x1, x1, :lo12:relay_relocations
	adrp	x2, relay_relocations_end
	add	x2, x2, :lo12:relay_relocations_end
1:	cmp	x1, x2
	b.hs	2f
	ldr	x3, [x1]
	ldr	x4, [x1, #16]
	add	x1, x1, #24
	add	x4, x4, x20
	str	x4, [x20, x3]
	b	1b
	// Lines of what lies behind the image may be dirty, and would be written back over what is stored
	// around the caches from here on.
2:	adrp	x1, relay_stack_hole
	add	x1, x1, :lo12:relay_stack_hole
	adrp	x2, relay_zero_end
	add	x2, x2, :lo12:relay_zero_end
	data_line_size x3, x4
6:	dc	ivac, x1
	add	x1, x1, x3
	cmp	x1, x2
	b.lo	6b
	dsb	sy
	adrp	x1, relay_zero_start
	add	x1, x1, :lo12:relay_zero_start
3:	stp	xzr, xzr, [x1], #16
	cmp	x1, x2
	b.lo	3b
	adrp	x8, stage_vectors
	add	x8, x8, :lo12:stage_vectors
	branch_at_el2 x9, 4f
	mrs	x1, vbar_el1
	msr	tpidr_el1, xzr			// nothing is being reported (exceptions.S)
	msr	vbar_el1, x8
	b	5f
4:	mrs	x1, vbar_el2
	msr	tpidr_el2, xzr
	msr	vbar_el2, x8
5:	isb
	msr	spsel, #1
	adrp	x8, relay_stack_top
	add	x8, x8, :lo12:relay_stack_top
	sub	sp, x8, #RELAY_CONTEXT_SIZE
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x19
	mov	x2, sp
	// On Device memory: without heap, unaligned accesses, exclusives, SIMD or dc zva.
	bl	relay_prepare			// (tree, the VBAR found, context)
	mov	x0, sp
	adrp	x1, relay_writable_start
	add	x1, x1, :lo12:relay_writable_start
	adrp	x2, relay_zero_end
	add	x2, x2, :lo12:relay_zero_end
	bl	baton_translation_on
	mov	x0, x19
	mov	x1, sp
	bl	relay_main			// (tree, context); does not return
	b	baton_halt

	.macro address_of function, symbol
	.section .text.\function, "ax"
	.globl	\function
\function:
	adrp	x0, \symbol
	add	x0, x0, :lo12:\symbol
	ret
	.endm

	address_of relay_base, relay_header
	address_of relay_code_end, relay_code_limit
	address_of relay_constants_end, relay_constants_limit
	address_of relay_stack_guard, relay_stack_hole
	address_of relay_early_tables, relay_early_pool
	address_of relay_early_tables_end, relay_early_pool_end
	address_of relay_heap, relay_heap_start
	address_of relay_heap_end, relay_heap_limit
	address_of relay_change_host, relay_host_change
#endif
