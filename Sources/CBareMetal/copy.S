// Copies a run with the caches on.
#if defined(__aarch64__)
	.arch armv8-a+fp+simd			// the C flags leave SIMD out; the MMU is on here
	.section .text.baton_copy_lines, "ax"
	.globl	baton_copy_lines
// x0 = destination, x1 = source, x2 = size: a multiple of 64 bytes; the two do not overlap.
// 64 bytes a turn through four SIMD registers: long runs of load and store pairs keep the bus of a
// real core busy, and both loads are issued before the first store needs its data.
baton_copy_lines:
	cbz	x2, 2f
1:	ldp	q0, q1, [x1], #32
	ldp	q2, q3, [x1], #32
	subs	x2, x2, #64
	stp	q0, q1, [x0], #32
	stp	q2, q3, [x0], #32
	b.ne	1b
2:	ret
#endif
