// Calls to the firmware (SMC Calling Convention), and the end where there is none.
#if defined(__aarch64__)
	.section .text.baton_smc, "ax"
	.globl	baton_smc
// x0 = function, x1 to x3 = arguments. Returns x0. Clobbers x1-x17, as a C call may.
baton_smc:
	smc	#0
	ret

	.section .text.baton_hvc, "ax"
	.globl	baton_hvc
baton_hvc:
	hvc	#0
	ret

	.section .text.baton_last_call, "ax"
	.globl	baton_last_smc
	.globl	baton_last_hvc
// As above, for a call that does not come back; where it does, this CPU halts. Branched to, MMU off.
baton_last_hvc:
	hvc	#0
	b	baton_halt
baton_last_smc:
	smc	#0
	b	baton_halt

	.section .text.baton_halt, "ax"
	.globl	baton_halt
baton_halt:
	wfi
	b	baton_halt
#endif
