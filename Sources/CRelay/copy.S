// Copies with the caches on, between places of any alignment.
#if defined(__aarch64__)
	.arch armv8-a+fp+simd			// the C flags leave SIMD out; the MMU is on here
	.section .text.relay_copy, "ax"
	.globl	relay_copy
// x0 = destination, x1 = source, x2 = size; the two do not overlap.
relay_copy:
	subs	x2, x2, #64
	b.lo	2f
1:	ldp	q0, q1, [x1], #32
	ldp	q2, q3, [x1], #32
	stp	q0, q1, [x0], #32
	stp	q2, q3, [x0], #32
	subs	x2, x2, #64
	b.hs	1b
2:	adds	x2, x2, #64
	b.eq	4f
3:	ldrb	w3, [x1], #1
	strb	w3, [x0], #1
	subs	x2, x2, #1
	b.ne	3b
4:	ret
#endif
