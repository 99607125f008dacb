// The memory functions that a compiler calls by itself.
//
// They run with the MMU off too, where memory is Device memory and every access must be aligned:
// words where all is aligned to words, bytes elsewhere. What moves megabytes is in relocate.S.
#if defined(__aarch64__)
	.section .text.memcpy, "ax"
	.globl	memcpy
// x0 = destination, x1 = source, x2 = size; returns x0.
memcpy:
	mov	x3, x0
	orr	x4, x0, x1
	orr	x4, x4, x2
	tst	x4, #7
	b.ne	3f
1:	cbz	x2, 2f
	ldr	x5, [x1], #8
	str	x5, [x3], #8
	sub	x2, x2, #8
	b	1b
2:	ret
3:	cbz	x2, 2b
	ldrb	w5, [x1], #1
	strb	w5, [x3], #1
	sub	x2, x2, #1
	b	3b

	.section .text.memmove, "ax"
	.globl	memmove
// As memcpy; the ranges may overlap.
memmove:
	sub	x4, x0, x1
	cmp	x4, x2
	b.hs	memcpy				// the destination does not begin inside the source
1:	cbz	x2, 2f
	sub	x2, x2, #1
	ldrb	w5, [x1, x2]
	strb	w5, [x0, x2]
	b	1b
2:	ret

	.section .text.memset, "ax"
	.globl	memset
// x0 = destination, w1 = byte, x2 = size; returns x0.
memset:
	mov	x3, x0
	and	x1, x1, #0xff
	orr	x4, x0, x2
	tst	x4, #7
	b.ne	3f
	orr	x1, x1, x1, lsl #8
	orr	x1, x1, x1, lsl #16
	orr	x1, x1, x1, lsl #32
1:	cbz	x2, 2f
	str	x1, [x3], #8
	sub	x2, x2, #8
	b	1b
2:	ret
3:	cbz	x2, 2b
	strb	w1, [x3], #1
	sub	x2, x2, #1
	b	3b

	.section .text.memcmp, "ax"
	.globl	memcmp
// x0, x1 = what is compared, x2 = size; w0 = the difference of the first bytes that differ, or 0.
memcmp:
	mov	x3, x0
	mov	w0, wzr
1:	cbz	x2, 2f
	ldrb	w4, [x3], #1
	ldrb	w5, [x1], #1
	sub	x2, x2, #1
	subs	w0, w4, w5
	b.eq	1b
2:	ret
#endif
