// A place in relay to come back to: after a relocation that ends here instead of in a kernel, and
// after relay's own memory has been destroyed and restored.
#if defined(__aarch64__)
#include "../CBareMetal/levels.inc"

	.section .text.relay_save_context, "ax"
	.globl	relay_save_context
// x0 = struct relay_saved_context *. Returns 0; and once more, with 1, when relay_resume is given the
// same context. By the calling convention nothing but what is saved here has to survive the call.
relay_save_context:
	stp	x19, x20, [x0]
	stp	x21, x22, [x0, #16]
	stp	x23, x24, [x0, #32]
	stp	x25, x26, [x0, #48]
	stp	x27, x28, [x0, #64]
	stp	x29, x30, [x0, #80]
	mov	x1, sp
	mrs	x2, tpidr_el0
	stp	x1, x2, [x0, #96]
	.arch	armv8-a+fp
	stp	d8, d9, [x0, #112]
	stp	d10, d11, [x0, #128]
	stp	d12, d13, [x0, #144]
	stp	d14, d15, [x0, #160]
	branch_at_el2 x9, 1f
	mrs	x1, ttbr0_el1
	mrs	x2, tcr_el1
	mrs	x3, mair_el1
	mrs	x4, sctlr_el1
	mrs	x5, vbar_el1
	mrs	x6, cpacr_el1
	b	2f
1:	mrs	x1, ttbr0_el2
	mrs	x2, tcr_el2
	mrs	x3, mair_el2
	mrs	x4, sctlr_el2
	mrs	x5, vbar_el2
	mrs	x6, cptr_el2
2:	stp	x1, x2, [x0, #176]
	stp	x3, x4, [x0, #192]
	stp	x5, x6, [x0, #208]
	mov	x0, xzr
	ret

	.section .text.relay_resume, "ax"
	.globl	relay_resume
// x0 = struct relay_saved_context *, MMU and data cache off, at the level that saved it. All of
// relay's memory is as it was when the context was saved, and clean to the point of coherency. Does
// not return here, but to where relay_save_context was called.
relay_resume:
	ldp	x1, x2, [x0, #176]
	ldp	x3, x4, [x0, #192]
	ldp	x5, x6, [x0, #208]
	branch_at_el2 x9, 1f
	msr	vbar_el1, x5
	msr	tpidr_el1, xzr
	msr	cpacr_el1, x6
	msr	mair_el1, x3
	msr	tcr_el1, x2
	branch_without_tcr2 x9, 3f
	msr	S3_0_C2_C0_3, xzr
3:	msr	ttbr0_el1, x1
	isb
	tlbi	vmalle1
	ic	iallu
	dsb	nsh
	isb
	msr	sctlr_el1, x4
	isb
	b	2f
1:	msr	vbar_el2, x5
	msr	tpidr_el2, xzr
	msr	cptr_el2, x6
	msr	mair_el2, x3
	msr	tcr_el2, x2
	branch_without_tcr2 x9, 4f
	msr	S3_4_C2_C0_3, xzr
4:	msr	ttbr0_el2, x1
	isb
	tlbi	alle2
	ic	iallu
	dsb	nsh
	isb
	msr	sctlr_el2, x4
	isb
2:	ldp	x19, x20, [x0]
	ldp	x21, x22, [x0, #16]
	ldp	x23, x24, [x0, #32]
	ldp	x25, x26, [x0, #48]
	ldp	x27, x28, [x0, #64]
	ldp	x29, x30, [x0, #80]
	ldp	x1, x2, [x0, #96]
	mov	sp, x1
	msr	tpidr_el0, x2
	ldp	d8, d9, [x0, #112]
	ldp	d10, d11, [x0, #128]
	ldp	d12, d13, [x0, #144]
	ldp	d14, d15, [x0, #160]
	mov	x0, #1
	ret

// The call that returns by the resume alone: what lies between happens elsewhere, so that no register
// or stack slot of Swift's is live across it.
	.section .text.relay_with_saved_context, "ax"
	.globl	relay_with_saved_context
// x0 = struct relay_saved_context *, x1 = body(argument), which does not return, x2 = argument.
relay_with_saved_context:
	stp	x29, x30, [sp, #-32]!
	mov	x29, sp
	stp	x1, x2, [sp, #16]
	bl	relay_save_context
	cbnz	x0, 1f
	ldp	x1, x0, [sp, #16]
	blr	x1
	b	baton_halt
1:	ldp	x29, x30, [sp], #32
	ret

	.section .text.relay_resume_address, "ax"
	.globl	relay_resume_address
relay_resume_address:
	adrp	x0, relay_resume
	add	x0, x0, :lo12:relay_resume
	ret
#endif
