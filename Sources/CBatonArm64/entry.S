#if defined(__aarch64__)
	.section .text.entry, "ax"
	.globl stage_entry
stage_entry:
	adrp x0, stage_stack_top
	mov sp, x0
	bl stage_main
1:	wfi
	b 1b
#endif
