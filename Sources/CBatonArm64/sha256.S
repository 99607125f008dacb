// The SHA-256 compression function by the instructions of FEAT_SHA256 (FIPS 180-4, 6.2.2;
// Arm ARM C7.2, SHA256H, SHA256H2, SHA256SU0, SHA256SU1).
//
// void baton_sha256_blocks_armv8(uint32_t state[8], const void *data, size_t blockCount)
//
// On entry   x0  eight state words, a to h, in the CPU's byte order, 4-byte aligned
//            x1  data, blockCount × 64 bytes, any alignment
//            x2  blockCount, may be 0
// On exit    state[] updated; x1 just after the data, x2 = 0; x3, v0–v7, v16–v31 and flags
//            changed. d8–d10 are kept in a frame of 32 bytes, as AAPCS64 asks; nothing else is
//            stored but the state.
//
//            v0, v1    working abcd, efgh          v8, v9    the hash value H: abcd, efgh
//            v2, v3    w + k, this quad and next   v10       abcd before the quad
//            v4–v7     message schedule, 16 words  v16–v31   the 64 round constants
//
// 98 instructions a block, 1.53 a byte. Why it is like this:
// - All round constants stay in registers for the whole call; a block loads nothing but its data.
// - One four-register load takes a block. Its elements are bytes, so that it needs no alignment
//   even where alignment is checked.
// - H stays in v8 and v9 and is read there by the first quad, which saves that quad's copy of
//   abcd and any reload.
// - w + k is made one quad ahead, in two registers by turns: on cores that issue in order it then
//   does not wait in front of SHA256H, whose chain is what the time goes to.

#if defined(__aarch64__)
	.arch	armv8-a+crypto

// The message schedule: w0 becomes the words that follow w3.
.macro schedule w0, w1, w2, w3
	sha256su0 \w0\().4s, \w1\().4s
	sha256su1 \w0\().4s, \w2\().4s, \w3\().4s
.endm

// Four rounds with the sum in `wk`; `next` = `w` + `k` for the four after them.
.macro quad wk, next, w, k
	add	\next\().4s, \w\().4s, \k\().4s
	mov	v10.16b, v0.16b
	sha256h	q0, q1, \wk\().4s
	sha256h2 q1, q10, \wk\().4s
.endm

	.section .text.baton_sha256_blocks_armv8, "ax", %progbits
	.globl	baton_sha256_blocks_armv8
	.type	baton_sha256_blocks_armv8, %function
	.p2align 4
baton_sha256_blocks_armv8:
	cbz	x2, 2f
	stp	d8, d9, [sp, #-32]!
	str	d10, [sp, #16]
	adrp	x3, sha256_round_constants
	add	x3, x3, :lo12:sha256_round_constants
	ld1	{v16.4s-v19.4s}, [x3], #64
	ld1	{v20.4s-v23.4s}, [x3], #64
	ld1	{v24.4s-v27.4s}, [x3], #64
	ld1	{v28.4s-v31.4s}, [x3]
	ld1	{v8.4s, v9.4s}, [x0]
	.p2align 4
1:	ld1	{v4.16b-v7.16b}, [x1], #64
	rev32	v4.16b, v4.16b			// the message is big-endian
	rev32	v5.16b, v5.16b
	rev32	v6.16b, v6.16b
	rev32	v7.16b, v7.16b
	add	v2.4s, v4.4s, v16.4s
	sub	x2, x2, #1
	// Rounds 0–3: abcd before the quad is H itself.
	mov	v0.16b, v8.16b
	add	v3.4s, v5.4s, v17.4s
	mov	v1.16b, v9.16b
	sha256h	q0, q9, v2.4s
	sha256h2 q1, q8, v2.4s
	schedule v4, v5, v6, v7
	quad	v3, v2, v6, v18
	schedule v5, v6, v7, v4
	quad	v2, v3, v7, v19
	schedule v6, v7, v4, v5
	quad	v3, v2, v4, v20
	schedule v7, v4, v5, v6
	// Rounds 16–31
	quad	v2, v3, v5, v21
	schedule v4, v5, v6, v7
	quad	v3, v2, v6, v22
	schedule v5, v6, v7, v4
	quad	v2, v3, v7, v23
	schedule v6, v7, v4, v5
	quad	v3, v2, v4, v24
	schedule v7, v4, v5, v6
	// Rounds 32–47
	quad	v2, v3, v5, v25
	schedule v4, v5, v6, v7
	quad	v3, v2, v6, v26
	schedule v5, v6, v7, v4
	quad	v2, v3, v7, v27
	schedule v6, v7, v4, v5
	quad	v3, v2, v4, v28
	schedule v7, v4, v5, v6
	// Rounds 48–63: the schedule is complete.
	quad	v2, v3, v5, v29
	quad	v3, v2, v6, v30
	quad	v2, v3, v7, v31
	mov	v10.16b, v0.16b
	sha256h	q0, q1, v3.4s
	sha256h2 q1, q10, v3.4s
	add	v8.4s, v8.4s, v0.4s
	add	v9.4s, v9.4s, v1.4s
	cbnz	x2, 1b

	st1	{v8.4s, v9.4s}, [x0]
	ldr	d10, [sp, #16]
	ldp	d8, d9, [sp], #32
2:	ret
	.size	baton_sha256_blocks_armv8, . - baton_sha256_blocks_armv8

// FIPS 180-4, 4.2.2.
	.section .rodata.baton_sha256_round_constants, "a", %progbits
	.p2align 4
sha256_round_constants:
	.long	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5
	.long	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5
	.long	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3
	.long	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174
	.long	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc
	.long	0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da
	.long	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7
	.long	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967
	.long	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13
	.long	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85
	.long	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3
	.long	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070
	.long	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5
	.long	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3
	.long	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208
	.long	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
#endif
#if defined(__ELF__)
	.section .note.GNU-stack, "", %progbits
#endif
