// The relocation loop: every system's, in every map and without one. It moves extents; what differs is
// where they are seen (the offsets) and what the CPU may do there (the form):
//
//   form                   copies by                         lines
//   BATON_MOVE_PAIRS       pairs of SIMD registers           cleaned and invalidated after each page
//   BATON_MOVE_MOPS        FEAT_MOPS' copy instructions      the same
//   BATON_MOVE_UNCACHED    pairs of general registers        invalidated before each page
//
// Zeros are made without a source: by DC ZVA, or where the CPU forbids it and with the MMU off (where
// it faults), by stores.
//
// Why so, for real caches:
// - A page a turn: it stays in the first-level cache between the copy and its cleaning, and the store
//   stream is not interrupted by maintenance. The copy walks both pages upwards by whole lines, which
//   is what hardware prefetchers and write streaming (no read for ownership) wait for; explicit
//   prefetches would only repeat them. Loads run two pairs ahead of the stores that need them.
// - Clean *and* invalidate: a clean alone can lose data on some Cortex-A53 (errata 819472, 824069,
//   826319, 827319), and nobody reads these lines here again but the digest, whose own stream
//   fetches them.
// - No barrier within: cleans may overlap all that follows. Linux pays one per page. The caller
//   needs one, at the end, before anybody looks around the caches; in the stage that is the
//   departure's.
// - Everything is in registers, and no stack is used: with the MMU off each access would go to memory.
#if defined(__aarch64__)
#include "../CBatonArm64/include/handoff_block.h"
#include "include/stage_assembly.h"
#include "levels.inc"

	.arch armv8-a+fp+simd			// the C flags leave SIMD out

// FEAT_MOPS by encoding, which assemblers of the base architecture do not know: CPYF{P,M,E} and
// their operands x6 (destination), x5 (source), x8 (size), all written back.
.macro cpyf_x6_x5_x8
	.inst	0x19050506			// cpyfp	[x6]!, [x5]!, x8!
	.inst	0x19450506			// cpyfm	[x6]!, [x5]!, x8!
	.inst	0x19850506			// cpyfe	[x6]!, [x5]!, x8!
.endm

	.section .text.baton_relocate, "ax"
	.globl	baton_relocate
// x0 = struct baton_extent *, x1 = their number, x2 = source offset, x3 = destination offset, x4 = the
// form, a bit each. Addresses and sizes are multiples of 64; no source overlaps a destination.
// MMU and caches on; for BATON_MOVE_UNCACHED the MMU is off, the offsets are 0 where addresses are
// physical ones, sources are clean to the point of coherency, and destinations are whole lines: one
// that held somebody else's data, too, would lose it.
//
// x5 source, x6 destination, x7 bytes left, x8 bytes of this turn, x9 line size, x10 scratch, x11 bytes
// that DC ZVA writes (0: it may not be used), x12 next line to maintain, x13 end of this turn, x14 the
// body for this extent, x15 sixteen lines in bytes, x16 the body for all that is copied, x17 scratch.
//
// A body has x5, x6, x8 and x13, moves x5 and x6 on, and goes to .Lclean. It may use x8, x10 and x17, and
// x12 where nothing is cleaned. The bodies are symbols for the tests that look for what may not be
// executed with the MMU off.
baton_relocate:
	data_line_size x9, x10
	lsl	x15, x9, #4
	mrs	x10, dczid_el0
	and	x12, x10, #0xf			// BS: log2 of the words
	mov	x11, #4
	lsl	x11, x11, x12
	tst	x10, #(1 << 4)			// DZP: prohibited
	csel	x11, x11, xzr, eq
	adr	x16, baton_copy_pairs
	tbz	x4, #0, 1f
	adr	x16, baton_copy_mops
1:	tbz	x4, #1, .Lnext
	adr	x16, baton_copy_uncached
	mov	x11, #0

.Lnext:	subs	x1, x1, #1
	b.lo	.Ldone
	ldp	x5, x6, [x0], #16
	ldr	x7, [x0], #8
	add	x6, x6, x3
	cmn	x5, #1				// BATON_EXTENT_ZEROS
	b.eq	.Lzeros
	add	x5, x5, x2
	mov	x14, x16

	// A turn: at most a page.
.Lturn:	cbz	x7, .Lnext
	mov	x8, #4096
	cmp	x7, x8
	csel	x8, x7, x8, lo
	sub	x7, x7, x8
	sub	x10, x9, #1
	bic	x12, x6, x10
	add	x13, x6, x8
	tbnz	x4, #1, .Linvalidate
	br	x14

	// Stores go around the caches, so what these hold of the destination goes first: a line that
	// was written back later would overwrite what was moved.
.Linvalidate:
	dc	ivac, x12
	add	x12, x12, x9
	cmp	x12, x13
	b.lo	.Linvalidate
	dsb	sy
	br	x14

	// What this turn wrote, to the point of coherency: sixteen lines at once, then line by line.
.Lclean:
	tbnz	x4, #1, .Lturn			// it was written there
	sub	x10, x13, x12
	subs	x10, x10, x15
	b.lo	2f
1:
	.rept	16
	dc	civac, x12
	add	x12, x12, x9
	.endr
	subs	x10, x10, x15
	b.hs	1b
2:	cmp	x12, x13
	b.hs	.Lturn
	dc	civac, x12
	add	x12, x12, x9
	b	2b

.Lzeros:
	adr	x14, baton_zero_stores
	cbz	x11, .Lturn
	orr	x10, x6, x7			// DC ZVA writes whole blocks of its own size
	sub	x12, x11, #1
	tst	x10, x12
	adr	x10, baton_zero_blocks
	csel	x14, x10, x14, eq
	b	.Lturn

.Ldone:	ret

	.globl	baton_copy_pairs
baton_copy_pairs:
	subs	x8, x8, #512
	b.lo	2f
1:
	.rept	8
	ldp	q0, q1, [x5], #32
	ldp	q2, q3, [x5], #32
	stp	q0, q1, [x6], #32
	stp	q2, q3, [x6], #32
	.endr
	subs	x8, x8, #512
	b.hs	1b
2:	adds	x8, x8, #512
	b.eq	.Lclean
3:	ldp	q0, q1, [x5], #32
	ldp	q2, q3, [x5], #32
	stp	q0, q1, [x6], #32
	stp	q2, q3, [x6], #32
	subs	x8, x8, #64
	b.ne	3b
	b	.Lclean

	.globl	baton_copy_mops
baton_copy_mops:
	cpyf_x6_x5_x8
	b	.Lclean

	.globl	baton_copy_uncached
baton_copy_uncached:
	ldp	x8, x10, [x5], #16
	ldp	x12, x17, [x5], #16
	stp	x8, x10, [x6], #16
	stp	x12, x17, [x6], #16
	cmp	x6, x13
	b.lo	baton_copy_uncached
	b	.Lclean

	.globl	baton_zero_blocks
baton_zero_blocks:
	dc	zva, x6
	add	x6, x6, x11
	cmp	x6, x13
	b.lo	baton_zero_blocks
	b	.Lclean

	.globl	baton_zero_stores
baton_zero_stores:
	stp	xzr, xzr, [x6], #16
	stp	xzr, xzr, [x6], #16
	stp	xzr, xzr, [x6], #16
	stp	xzr, xzr, [x6], #16
	cmp	x6, x13
	b.lo	baton_zero_stores
	b	.Lclean
#endif
