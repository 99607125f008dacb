// What Arm64DigestCheck needs of an arm64 Linux process: its entry and two system calls. There is
// no C library.
#if defined(__aarch64__)
	.section .text._start, "ax", %progbits
	.globl	_start
// Entered by the kernel with sp 16-byte aligned; what lies there is not looked at.
_start:
	mov	x29, xzr
	mov	x30, xzr
	bl	arm64_digest_check
	b	check_exit

	.section .text.check_write, "ax", %progbits
	.globl	check_write
// x0 = bytes, x1 = count; returns what the system call returns.
check_write:
	mov	x2, x1
	mov	x1, x0
	mov	x0, #1
	mov	x8, #64
	svc	#0
	ret

	.section .text.check_exit, "ax", %progbits
	.globl	check_exit
// w0 = status; does not return.
check_exit:
	mov	x8, #94
	svc	#0
	brk	#0
#endif
#if defined(__ELF__)
	.section .note.GNU-stack, "", %progbits
#endif
