// Calls to the firmware (SMC Calling Convention), and the end where there is none.
#if defined(__aarch64__)
	.section .text.baton_smc, "ax"
	.globl	baton_smc
// x0 = function, no arguments. Returns x0. Clobbers x1-x17, as a C call may.
baton_smc:
	mov	x1, xzr
	mov	x2, xzr
	mov	x3, xzr
	smc	#0
	ret

	.section .text.baton_hvc, "ax"
	.globl	baton_hvc
baton_hvc:
	mov	x1, xzr
	mov	x2, xzr
	mov	x3, xzr
	hvc	#0
	ret

	.section .text.baton_halt, "ax"
	.globl	baton_halt
baton_halt:
	wfi
	b	baton_halt
#endif
