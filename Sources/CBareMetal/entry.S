// The stage's header, and what happens before the first line of Swift.
#if defined(__aarch64__)
#include "../CBatonArm64/include/stage_header.h"
#include "include/stage_assembly.h"
#include "levels.inc"

	.section .stage.header, "ax"
	.globl	stage_header
// struct baton_stage_header. All differences of symbols: nothing here depends on the address.
stage_header:
	b	stage_entry
	.word	STAGE_HEADER_VERSION
	.quad	STAGE_HEADER_MAGIC
	.word	BATON_BLOCK_VERSION
	.word	stage_block - stage_header
	.word	stage_build_id_file_offset
	.word	20
	.word	0, 0, stage_code_size, stage_code_size
	.word	stage_constants_file_offset, STAGE_SECTION_STRIDE, stage_constants_size, stage_constants_size
	.word	0, 2 * STAGE_SECTION_STRIDE, 0, stage_writable_size
	.balign	8
	.space	32				// struct baton_lifeline, from the loader
	b	stage_guard_entry		// STAGE_GUARD_ENTRY
	.word	0

// Masks everything and installs own vectors, before anything can fault: at EL2 VBAR may point into
// memory that is gone. Leaves the VBAR that was found in x1, and SP_ELx selected.
	.macro	own_exceptions
	msr	daifset, #0xf
	msr	tpidr_el0, xzr			// no PSCI conduit known yet
	adrp	x8, stage_vectors
	add	x8, x8, :lo12:stage_vectors
	branch_at_el2 x9, 101f
	mrs	x1, vbar_el1
	msr	tpidr_el1, xzr			// nothing is being reported (exceptions.S)
	msr	vbar_el1, x8
	b	102f
101:	mrs	x1, vbar_el2
	msr	tpidr_el2, xzr
	msr	vbar_el2, x8
102:	isb
	msr	spsel, #1
	.endm

// Entry, as Linux leaves: MMU and data cache off, interrupts masked, EL1 or EL2; no register holds
// anything.
//
// Memory is read and written around the caches from here until baton_translation_on. That is
// coherent: the kernel that loaded us cleaned and invalidated every line of every segment.
	.section .text.stage_entry, "ax"
	.globl	stage_entry
stage_entry:
	own_exceptions
	adrp	x8, stage_stack_top
	add	x8, x8, :lo12:stage_stack_top
	sub	sp, x8, #STAGE_CONTEXT_SIZE
	mov	x29, xzr
	mov	x30, xzr
	adrp	x0, stage_header
	add	x0, x0, :lo12:stage_header
	mov	x2, sp
	// Everything that runs before the MMU is on is called from here: on Device memory, so without
	// unaligned accesses, exclusives, SIMD or dc zva. A test disassembles what can be reached.
	bl	stage_prepare			// (base, the VBAR found, context)
	mov	x0, sp
	adrp	x1, stage_writable_start
	add	x1, x1, :lo12:stage_writable_start
	adrp	x2, stage_writable_end
	add	x2, x2, :lo12:stage_writable_end
	bl	baton_translation_on
	mov	x0, sp
	bl	stage_execute			// (context); does not return
	b	baton_halt

// The entry of the guard, a copy of the stage in the crash region without block and tables: as
// Linux leaves in a panic, which is as above, but for the other CPUs. It says why it was entered,
// and resets.
	.section .text.stage_guard_entry, "ax"
	.globl	stage_guard_entry
stage_guard_entry:
	own_exceptions
	adrp	x8, stage_stack_top
	add	x8, x8, :lo12:stage_stack_top
	mov	sp, x8
	mov	x29, xzr
	mov	x30, xzr
	bl	stage_guard			// does not return
	b	baton_halt

// Addresses for Swift, taken PC-relative.
	.macro address_of function, symbol
	.section .text.\function, "ax"
	.globl	\function
\function:
	adrp	x0, \symbol
	add	x0, x0, :lo12:\symbol
	ret
	.endm

	address_of baton_stage_base, stage_header
	address_of baton_stage_block, stage_block
	address_of baton_stage_vectors, stage_vectors
	address_of baton_secondary_entry_address, baton_secondary_entry
	address_of baton_stage_shared_work, stage_shared_work
	address_of baton_last_smc_address, baton_last_smc
	address_of baton_last_hvc_address, baton_last_hvc
	address_of baton_stage_writable_start, stage_writable_start
	address_of baton_stage_writable_end, stage_writable_end
#endif
